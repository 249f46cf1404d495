//! Which frame each packet of a video holds, and when it is shown: found by reading all packets once without decoding any.

use std::collections::HashMap;

/// A stamp that falls back by more than this, and by more steps than a codec can reorder, is a clock that began anew.
const REORDER: (f64, usize) = (2.0, 32);

/// What the container says of a packet. Stamps are in units of the stream's time base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PacketFacts {
    /// When its frame is shown.
    pub pts: Option<i64>,
    /// When it is decoded.
    pub dts: Option<i64>,
    /// Where it lies in the file.
    pub position: i64,
    /// Its bytes.
    pub size: usize,
    /// Decoding can begin here.
    pub key: bool,
    /// It holds a frame that is shown.
    pub shown: bool,
}

/// A packet at which decoding can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Number of the packet, in the order of the file.
    pub packet: usize,
    /// Its frame.
    pub frame: usize,
    /// Its stamp.
    pub pts: i64,
}

/// The frames of a video.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Seconds of the container's clock, one a frame in the order in which they are shown; NaN if unknown.
    pub raw_times_s: Vec<f64>,
    /// The frame of each packet; `None` where nothing is shown.
    frame_of: Vec<Option<usize>>,
    /// The packet of each frame.
    packet_of: Vec<usize>,
    /// In the order of the file; only packets that are shown and stamped.
    keys: Vec<Key>,
    /// The packet at a position of the file.
    packet_at: HashMap<i64, usize>,
    /// The order in which frames are shown is known. Otherwise it is that in which the decoder gives them.
    pub ordered: bool,
    /// Where the last packet ends in the file.
    end: u64,
}

/// Bytes that may follow the last picture of a file that was cut off.
const SLACK: u64 = 16;

impl Index {
    /// Orders the packets of a file. Without `timed` their stamps are made up and do not count; with `reorders` frames may be
    /// stored in another order than they are shown. `unit_s` is the time base.
    pub(super) fn new(packets: &[PacketFacts], unit_s: f64, timed: bool, reorders: bool) -> Self {
        let packets = &without_strays(packets, unit_s)[..];
        let shown: Vec<usize> = (0..packets.len()).filter(|&i| packets[i].shown).collect();
        let stamped = timed && shown.iter().all(|&i| packets[i].pts.is_some());
        let mut order = shown.clone();
        let mut stamps: Vec<Option<i64>> = shown.iter().map(|&i| packets[i].pts.or(packets[i].dts)).collect();
        if stamped && reorders {
            order = in_order_of_time(packets, &shown, unit_s);
            stamps = order.iter().map(|&i| packets[i].pts).collect();
        } else if timed && reorders {
            // Without all stamps, those of decoding are the best there is; they rise with the frames.
            stamps = shown.iter().map(|&i| packets[i].dts).collect();
        }
        let mut frame_of = vec![None; packets.len()];
        order.iter().enumerate().for_each(|(frame, &packet)| frame_of[packet] = Some(frame));
        let seconds = |stamp: Option<i64>| stamp.filter(|_| timed).map_or(f64::NAN, |stamp| stamp as f64 * unit_s);
        let key = |(packet, facts): (usize, &PacketFacts)| {
            let (frame, pts) = (frame_of[packet]?, facts.pts.or(facts.dts)?);
            (facts.key && timed).then_some(Key { packet, frame, pts })
        };
        Self {
            raw_times_s: stamps.into_iter().map(seconds).collect(),
            keys: packets.iter().enumerate().filter_map(key).collect(),
            packet_at: packets.iter().enumerate().map(|(i, p)| (p.position, i)).collect(),
            ordered: stamped || !reorders,
            end: packets.iter().map(|p| p.position.max(0) as u64 + p.size as u64).max().unwrap_or(0),
            frame_of,
            packet_of: order,
        }
    }

    /// The frame that packet `packet` holds.
    pub(super) fn frame_of(&self, packet: usize) -> Option<usize> {
        self.frame_of.get(packet).copied().flatten()
    }

    /// The last key frame from which decoding gives frame `frame`.
    pub(super) fn key_before(&self, frame: usize) -> Option<Key> {
        let packet = *self.packet_of.get(frame)?;
        self.keys.iter().rev().find(|key| key.packet <= packet && key.frame <= frame).copied()
    }

    /// The packet of frame `frame`, unless it is stored after a key frame and shown before it: from those, no later frame is
    /// predicted.
    pub(super) fn trailing(&self, frame: usize) -> Option<usize> {
        let packet = *self.packet_of.get(frame)?;
        let key = self.keys.iter().rev().find(|key| key.packet <= packet);
        key.is_none_or(|key| key.frame <= frame).then_some(packet)
    }

    /// The number of the packet at a position in the file.
    pub(super) fn packet_at(&self, position: i64) -> Option<usize> {
        self.packet_at.get(&position).copied()
    }

    /// How many of the frames that the container announces are missing because the file of `length` bytes ends too early.
    pub(super) fn cut_off(&self, announced: usize, length: u64) -> usize {
        // Some headers announce too many; only where the file ends within the pictures, there were more.
        if self.end + SLACK < length { 0 } else { announced.saturating_sub(self.frame_of.len()) }
    }

    /// True where a key is the first of all.
    pub(super) fn is_start(key: Key) -> bool {
        key.packet == 0
    }
}

/// How far stamps may be apart for no other reason than that frames are stored in another order than they are shown, in units
/// of the time base.
fn reordering(packets: &[PacketFacts], unit_s: f64) -> f64 {
    let mut steps: Vec<u64> = packets.windows(2).filter_map(|pair| Some(pair[0].pts?.abs_diff(pair[1].pts?))).collect();
    let middle = steps.len() / 2;
    let usual = if steps.is_empty() { 0 } else { *steps.select_nth_unstable(middle).1 };
    (REORDER.0 / unit_s).max(usual as f64 * REORDER.1 as f64)
}

/// The packets with stamps that fit to those before and after them: a damaged one would put its frame hours away. What stands
/// instead is the stamp of the packet before.
fn without_strays(packets: &[PacketFacts], unit_s: f64) -> Vec<PacketFacts> {
    let reordering = reordering(packets, unit_s);
    let fits = |i: usize, stamp: fn(&PacketFacts) -> Option<i64>| {
        let around = i.saturating_sub(2)..(i + 3).min(packets.len());
        let mut near: Vec<i64> = packets[around].iter().filter_map(stamp).collect();
        near.sort_unstable();
        let middle = near.get(near.len() / 2).filter(|_| near.len() >= 3);
        stamp(&packets[i]).zip(middle).is_none_or(|(own, middle)| own.abs_diff(*middle) as f64 <= reordering)
    };
    let mut sound = packets.to_vec();
    for i in 1..packets.len() {
        if !fits(i, |packet| packet.pts) {
            sound[i].pts = sound[i - 1].pts;
        }
        if !fits(i, |packet| packet.dts) {
            sound[i].dts = sound[i - 1].dts;
        }
    }
    sound
}

/// The shown packets in the order of their stamps, piece by piece where the clock begins anew.
fn in_order_of_time(packets: &[PacketFacts], shown: &[usize], unit_s: f64) -> Vec<usize> {
    let pts = |i: &usize| packets[*i].pts.unwrap_or(0);
    let reordering = reordering(packets, unit_s);
    let mut order = Vec::with_capacity(shown.len());
    let mut piece = 0;
    let mut latest = i64::MIN;
    for (place, i) in shown.iter().enumerate() {
        // Packets are decoded in the order of the file: that time never falls back while the clock goes on.
        let decoded_before =
            place > piece && packets[*i].dts.zip(packets[shown[place - 1]].dts).is_some_and(|(now, last)| now < last);
        if latest != i64::MIN && (decoded_before || latest.saturating_sub(pts(i)) as f64 > reordering) {
            order.push(piece..place);
            (piece, latest) = (place, i64::MIN);
        }
        latest = latest.max(pts(i));
    }
    order.push(piece..shown.len());
    let sorted = |piece: std::ops::Range<usize>| {
        let mut piece = shown[piece].to_vec();
        piece.sort_by_key(pts);
        piece
    };
    order.into_iter().flat_map(sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Packets with the given stamps in hundredths of a second, a key every `keys`.
    fn packets(pts: &[Option<i64>], keys: usize) -> Vec<PacketFacts> {
        let facts = |(i, &pts): (usize, &Option<i64>)| PacketFacts {
            pts,
            dts: Some(5 * i as i64),
            position: 100 * i as i64,
            size: 100,
            key: i.is_multiple_of(keys),
            shown: true,
        };
        pts.iter().enumerate().map(facts).collect()
    }

    #[test]
    fn frames_are_numbered_as_they_are_shown() {
        // I P B B  I P B B
        let stamps = [10, 25, 15, 20, 30, 45, 35, 40].map(Some);
        let index = Index::new(&packets(&stamps, 4), 0.01, true, true);
        let frames: Vec<_> = (0..8).map(|packet| index.frame_of(packet).unwrap()).collect();
        assert_eq!(frames, [0, 3, 1, 2, 4, 7, 5, 6]);
        assert!(index.raw_times_s.windows(2).all(|t| (t[1] - t[0] - 0.05).abs() < 1e-9) && index.ordered);
        assert_eq!(index.key_before(6), Some(Key { packet: 4, frame: 4, pts: 30 }));
        assert_eq!(index.key_before(3).map(|key| key.packet), Some(0));
        assert_eq!((index.trailing(2), index.trailing(9)), (Some(3), None));
        assert_eq!(index.packet_at(300), Some(3));
        assert_eq!(index.packet_at(301), None);
        assert_eq!((index.cut_off(10, 800), index.cut_off(10, 1000), index.cut_off(8, 800)), (2, 0, 0));
    }

    #[test]
    fn a_clock_that_begins_anew_keeps_the_order_of_the_file() {
        for first in [1000, 100] {
            let stamps = [first, first + 10, first + 5, 0, 10, 5].map(Some);
            let mut facts = packets(&stamps, 3);
            facts[..3].iter_mut().for_each(|packet| packet.dts = packet.dts.map(|dts| dts + first));
            let index = Index::new(&facts, 0.01, true, true);
            assert_eq!((0..6).filter_map(|packet| index.frame_of(packet)).collect::<Vec<_>>(), [0, 2, 1, 3, 5, 4]);
        }
    }

    #[test]
    fn one_damaged_stamp_moves_no_other_frame() {
        let stamps = [10, 15, 20, 9_000_000, 30, 35].map(Some);
        let index = Index::new(&packets(&stamps, 6), 0.01, true, true);
        assert_eq!((0..6).filter_map(|packet| index.frame_of(packet)).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert!((index.raw_times_s[3] - 0.2).abs() < 1e-9 && (index.raw_times_s[5] - 0.35).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_shown_is_no_frame() {
        let mut facts = packets(&[0, 5, 10, 15].map(Some), 1);
        facts[0].shown = false;
        let index = Index::new(&facts, 0.01, true, false);
        assert_eq!((index.raw_times_s.len(), index.frame_of(0), index.frame_of(1)), (3, None, Some(0)));
    }

    #[test]
    fn without_stamps_those_of_decoding_count_and_without_any_none() {
        let facts = packets(&[Some(0), None, Some(10)], 1);
        let index = Index::new(&facts, 0.01, true, true);
        assert!(!index.ordered && index.raw_times_s == [0.0, 0.05, 0.1]);
        let index = Index::new(&facts, 0.01, false, false);
        assert!(index.ordered && index.raw_times_s.iter().all(|t| t.is_nan()) && index.key_before(1).is_none());
    }

    proptest! {
        #[test]
        fn every_shown_packet_has_a_frame_of_its_own(
            facts in proptest::collection::vec((proptest::option::of(any::<i64>()), any::<bool>(), any::<bool>()), 0..40),
            timed: bool, reorders: bool
        ) {
            let facts: Vec<_> = facts.iter().map(|&(pts, key, shown)| PacketFacts { pts, dts: pts, position: 0, size: 1, key, shown }).collect();
            let index = Index::new(&facts, 1e-3, timed, reorders);
            let mut frames: Vec<_> = (0..facts.len()).filter_map(|packet| index.frame_of(packet)).collect();
            frames.sort_unstable();
            prop_assert_eq!(frames, (0..index.raw_times_s.len()).collect::<Vec<_>>());
            (0..facts.len()).for_each(|frame| { index.key_before(frame); });
        }
    }
}
