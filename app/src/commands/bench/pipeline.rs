//! `bench pipeline`: the whole network's time a frame, the rate of each stage and of the chain, and the delay of live frames.

use std::time::Instant;

use anyhow::{Context, bail};
use deltasteer_perception::CnnSchedule;
use deltasteer_temporal::{DeltaRnn, DenseRnn};
use serde::Serialize;

use crate::cli::BenchPipelineArgs;
use crate::drive::interrupted;
use crate::front_end::FrontEnd;
use crate::pipeline::{Event, FrameRange, Pace, Pipeline, Settings};
use crate::say;
use crate::session::{Session, read_frames};

/// Frames that are held decoded while both networks run over them.
const BLOCK: usize = 64;
/// Rate at which live frames are imitated.
const LIVE_HZ: f64 = 30.0;
/// Live frames that are timed.
const LIVE_FRAMES: usize = 300;

/// Everything that is printed.
#[derive(Debug, Serialize)]
struct Rates {
    source: String,
    frames: usize,
    /// The model's own setting.
    schedule: CnnSchedule,
    network: Network,
    /// Decoding alone, on all cores.
    decode_hz: f64,
    /// The CNN alone, one worker.
    cnn_hz: f64,
    chains: Vec<Chain>,
    live: Live,
}

/// Motion, CNN and RNN on one thread, decoding not counted, both ways in turns over the same frames; means a frame.
#[derive(Debug, Default, Serialize)]
struct Network {
    /// Every frame through the CNN, every column of the RNN.
    dense_us: f64,
    /// The model's own setting, delta steps.
    own_us: f64,
    /// Of their RNN steps.
    rnn_dense_us: f64,
    /// See `rnn_dense_us`.
    rnn_delta_us: f64,
}

/// Frames a second from the source to the angle.
#[derive(Debug, Serialize)]
struct Chain {
    workers: usize,
    schedule: CnnSchedule,
    hz: f64,
}

/// From the moment at which a frame has been read to its angle, at a steady rate.
#[derive(Debug, Serialize)]
struct Live {
    rate_hz: f64,
    median_ms: f64,
    p99_ms: f64,
}

/// Runs it.
///
/// # Errors
/// A source or model that cannot be opened, a live source, or standard output that cannot be written.
pub fn run(args: &BenchPipelineArgs) -> anyhow::Result<()> {
    let spec = args.drive.spec();
    let open = || Session::open(&spec, &args.drive.run.options()).map(Session::for_numbers);
    let mut session = open()?;
    let frames = match (session.range, session.info.frame_count) {
        (Some(range), _) => range.end - range.first,
        (None, Some(count)) => count,
        (None, None) => bail!("{}: a live source has a rate of its own; expected a recorded drive", args.drive.source),
    };
    let first = session.range.map_or(0, |range| range.first);
    let network = network(&mut session, first, frames)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let own = session.cnn;
    let mut chains = Vec::new();
    for (workers, schedule) in [(1, CnnSchedule::default()), (cores, CnnSchedule::default()), (1, own), (cores, own)] {
        let hz = chain(open()?, workers, schedule)?;
        chains.push(Chain { workers, schedule, hz });
    }
    let rates = Rates {
        source: session.info.name.clone(),
        frames,
        schedule: own,
        network,
        decode_hz: decode_alone(open()?, first, frames)?,
        cnn_hz: cnn_alone(&mut session, first)?,
        chains,
        live: live(open()?)?,
    };
    if args.json {
        return Ok(say!("{}", serde_json::to_string(&rates)?)?);
    }
    print(&rates)
}

fn print(rates: &Rates) -> anyhow::Result<()> {
    let Rates { network, live, .. } = rates;
    say!("{} frames of {}; the CNN's own setting is {}", rates.frames, rates.source, rates.schedule)?;
    say!("whole network, one thread, decoding not counted")?;
    say!("  dense      {:9.1} us a frame (RNN {:.2})", network.dense_us, network.rnn_dense_us)?;
    let less = network.dense_us / network.own_us;
    say!("  own        {:9.1} us a frame (RNN {:.2}): {less:.1}x less", network.own_us, network.rnn_delta_us)?;
    say!("frames a second")?;
    say!("  decode alone, all cores       {:7.0}", rates.decode_hz)?;
    say!("  CNN alone, one worker         {:7.0}", rates.cnn_hz)?;
    for Chain { workers, schedule, hz } in &rates.chains {
        say!("  chain, {workers} CNN workers, {:<12} {hz:7.0}", schedule.to_string())?;
    }
    say!(
        "live at {:.0} Hz: from frame to angle {:.2} ms (median), {:.2} ms (99 of 100)",
        live.rate_hz,
        live.median_ms,
        live.p99_ms
    )?;
    Ok(())
}

fn network(session: &mut Session, first: usize, frames: usize) -> anyhow::Result<Network> {
    let model = session.model.clone();
    let mut dense = FrontEnd::new(&model, &session.info, CnnSchedule::default(), session.device)?;
    let mut own = FrontEnd::new(&model, &session.info, session.cnn, session.device)?;
    let (mut dense_rnn, mut delta_rnn) =
        (DenseRnn::new(model.rnn())?, DeltaRnn::new(model.rnn(), &[session.thresholds])?);
    session.source.seek(first)?;
    let mut sums = Network::default();
    let mut done = 0;
    while done < frames {
        let mut block = Vec::new();
        while block.len() < BLOCK.min(frames - done) {
            let Some(frame) = session.source.next_frame()? else { break };
            block.push(frame);
        }
        if block.is_empty() {
            break;
        }
        done += block.len();
        for frame in &block {
            let start = Instant::now();
            let inputs = dense.see(frame.image.view(), frame.time_s)?;
            let seen = Instant::now();
            dense_rnn.step(inputs)?;
            sums.rnn_dense_us += us(seen);
            sums.dense_us += us(start);
        }
        for frame in &block {
            let start = Instant::now();
            let inputs = own.see(frame.image.view(), frame.time_s)?;
            let seen = Instant::now();
            delta_rnn.step(inputs)?;
            sums.rnn_delta_us += us(seen);
            sums.own_us += us(start);
        }
    }
    anyhow::ensure!(done > 0, "{}: not one frame could be read", session.info.name);
    let mean = |sum: f64| sum / done as f64;
    Ok(Network {
        dense_us: mean(sums.dense_us),
        own_us: mean(sums.own_us),
        rnn_dense_us: mean(sums.rnn_dense_us),
        rnn_delta_us: mean(sums.rnn_delta_us),
    })
}

fn us(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

fn settings(session: &Session, workers: usize, schedule: CnnSchedule) -> Settings {
    Settings {
        thresholds: Some(session.thresholds),
        device: session.device,
        schedule: Some(schedule),
        workers: Some(workers),
        range: session.range,
        playing: true,
        ..Settings::default()
    }
}

fn chain(session: Session, workers: usize, schedule: CnnSchedule) -> anyhow::Result<f64> {
    let settings = settings(&session, workers, schedule);
    let pipeline = Pipeline::start(session.source, session.model, settings)?;
    let (start, mut frames) = (Instant::now(), 0);
    crate::drive::watch(&pipeline, |_| {
        frames += 1;
        Ok(())
    })?;
    Ok(f64::from(frames) / start.elapsed().as_secs_f64())
}

/// One CNN worker and frames at a steady rate, as a camera gives them.
fn live(session: Session) -> anyhow::Result<Live> {
    let pace = Some(Pace::Times((LIVE_HZ / session.info.rate_hz) as f32));
    let settings = Settings { pace, ..settings(&session, 1, session.cnn) };
    let pipeline = Pipeline::start(session.source, session.model, settings)?;
    let mut delays = Vec::new();
    while delays.len() < LIVE_FRAMES {
        match pipeline.next_event().context("the pipeline stopped without a reason")? {
            Event::Frame(frame) => delays.push(frame.read_at.elapsed().as_secs_f64() * 1e3),
            Event::Failed(failure) => return Err(failure.into()),
            Event::Ended(_) => break,
            _ => {}
        }
    }
    anyhow::ensure!(!delays.is_empty(), "no frame came through");
    delays.sort_by(f64::total_cmp);
    let quantile = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    Ok(Live { rate_hz: LIVE_HZ, median_ms: quantile(0.5), p99_ms: quantile(0.99) })
}

fn decode_alone(session: Session, first: usize, frames: usize) -> anyhow::Result<f64> {
    let mut source = session.source;
    let range = FrameRange { first, end: first + frames };
    let (start, mut count) = (Instant::now(), 0);
    read_frames(source.as_mut(), range, (interrupted(), "interrupted"), |frame| {
        std::hint::black_box(frame);
        count += 1;
        Ok(true)
    })?;
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// On one frame of the drive, again and again.
fn cnn_alone(session: &mut Session, first: usize) -> anyhow::Result<f64> {
    session.source.seek(first)?;
    let frame = session.source.next_frame()?.context("a drive without a readable frame")?;
    let mut extractor = session.model.extractor(session.device)?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < 0.5 {
        extractor.features(frame.image.view())?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
