//! A demuxer and a decoder that read a video file on together, and what its first packets tell.

use ffmpeg_next::codec;

use super::decode::{Care, Decoded, Decoder, is_blank};
use super::ffmpeg::{Demuxer, VideoPacket};
use super::index::{Index, Key, PacketFacts};
use super::origin::Origin;

/// Up to this many frames ahead it is quicker to decode on than to jump.
pub(super) const STEP_ON: usize = 100;
/// Packets that are decoded for trial when a file is opened.
const TRIAL: usize = 12;

/// What the container says of all packets.
pub(super) fn read_packets(demuxer: &mut Demuxer) -> Result<Vec<PacketFacts>, String> {
    let hidden = |codec, packet: &VideoPacket| {
        // VP8 stores frames that only others are predicted from as packets of their own; a bit says so.
        let data = packet.packet.data().unwrap_or_default();
        codec == codec::Id::VP8 && data.first().is_some_and(|byte| byte & 0x10 == 0) && !is_blank(data)
    };
    let (codec, stamps, reorders) = (demuxer.codec(), demuxer.avi_stamps(), demuxer.reorders());
    let mut packets = Vec::new();
    while let Some(packet) = demuxer.next()? {
        let shown = packet.shown && !hidden(codec, &packet);
        let VideoPacket { packet, .. } = packet;
        let position = packet.position() as i64;
        let stamp = stamps.get(&position).copied();
        packets.push(PacketFacts {
            pts: stamp.filter(|_| !reorders).or(packet.pts()),
            dts: stamp.or(packet.dts()),
            position,
            size: packet.size(),
            key: packet.is_key(),
            shown,
        });
    }
    Ok(packets)
}

/// What becomes of the first packets of a file.
pub(super) struct Trial {
    pub(super) strict: bool,
    pub(super) packets: usize,
    pub(super) frames: usize,
    pub(super) damages: usize,
}

impl Trial {
    pub(super) fn run(origin: &Origin, care: Care) -> Result<Self, String> {
        let mut reader = Reader::open(origin, care)?;
        let mut trial = Self { strict: care.strict, packets: 0, frames: 0, damages: 0 };
        while !reader.decoder.ended() {
            let packet = if trial.packets < TRIAL { reader.demuxer.next()? } else { None };
            trial.packets += usize::from(packet.as_ref().is_some_and(|packet| packet.shown));
            trial.damages += usize::from(!reader.decoder.send(trial.packets, packet));
            while let Some(decoded) = reader.decoder.receive() {
                match decoded {
                    Decoded::Frame(_) => trial.frames += 1,
                    Decoded::Damage => trial.damages += 1,
                }
            }
        }
        Ok(trial)
    }

    /// The index of a file whose beginning behaves like this.
    pub(super) fn index(&self, mut packets: Vec<PacketFacts>, demuxer: &Demuxer) -> Index {
        if self.damages == 0 && self.packets == TRIAL && 2 * self.frames == self.packets {
            // Two fields of an interlaced frame, each in a packet of its own: the frame comes with the first.
            packets.iter_mut().skip(1).step_by(2).for_each(|packet| packet.shown = false);
        }
        let base = demuxer.stream().time_base();
        let unit_s = f64::from(base.numerator()) / f64::from(base.denominator().max(1));
        Index::new(&packets, unit_s, demuxer.has_times(), demuxer.reorders())
    }
}

/// A demuxer and a decoder that read on together.
pub(super) struct Reader {
    pub(super) demuxer: Demuxer,
    pub(super) decoder: Decoder,
    /// Number of the packet that comes next.
    pub(super) packet: usize,
    /// The frame that comes next, as far as nothing is damaged.
    pub(super) given: usize,
    /// A frame was damaged since the last one.
    pub(super) lost: bool,
}

impl Reader {
    /// At the beginning of a file.
    pub(super) fn open(origin: &Origin, care: Care) -> Result<Self, String> {
        let demuxer = origin.demuxer()?;
        let decoder = Decoder::new(&demuxer, care)?;
        Ok(Self { demuxer, decoder, packet: 0, given: 0, lost: false })
    }

    /// The next frame by its number among the frames; `None` at the end.
    pub(super) fn next(&mut self, index: &Index) -> Result<Option<Decoded>, String> {
        loop {
            match self.decoder.receive() {
                Some(Decoded::Frame(packet)) => {
                    let Some(known) = index.frame_of(packet) else { continue };
                    if index.ordered
                        && !self.decoder.follows(packet, (self.given..known).filter_map(|f| index.trailing(f)))
                    {
                        (self.given, self.lost) = (known + 1, true);
                        return Ok(Some(Decoded::Damage));
                    }
                    // Where only the decoder knows the order, a lost frame would move all that follow: the next key frame stands
                    // where its packet does.
                    let frame = match (index.ordered, self.lost) {
                        (true, _) => known,
                        (false, true) => known.max(self.given),
                        (false, false) => self.given,
                    };
                    (self.given, self.lost) = (frame + 1, false);
                    return Ok(Some(Decoded::Frame(frame)));
                }
                Some(Decoded::Damage) => {
                    self.lost = true;
                    return Ok(Some(Decoded::Damage));
                }
                None if self.decoder.ended() => return Ok(None),
                None => {}
            }
            let packet = self.demuxer.next()?;
            self.packet += usize::from(packet.is_some());
            if !self.decoder.send(self.packet.saturating_sub(1), packet) {
                self.lost = true;
                return Ok(Some(Decoded::Damage));
            }
        }
    }

    /// Goes to a key frame, or to the beginning where there is none or the container does not lead to it.
    pub(super) fn jump(&mut self, key: Option<Key>, index: &Index, origin: &Origin) -> Result<(), String> {
        if let Some(key) = key.filter(|key| !Index::is_start(*key))
            && self.demuxer.seek(key.pts)
        {
            self.decoder.flush();
            // After a jump, some demuxers give the rest of a packet first.
            for _ in 0..STEP_ON {
                let Some(packet) = self.demuxer.next()? else { break };
                let Some(number) = index.packet_at(packet.packet.position() as i64) else { continue };
                if number > key.packet {
                    break;
                }
                self.packet = number + 1;
                self.given = index.frame_of(number).unwrap_or(0);
                self.decoder.send(number, Some(packet));
                return Ok(());
            }
        }
        *self = Self::open(origin, self.decoder.care())?;
        Ok(())
    }
}
