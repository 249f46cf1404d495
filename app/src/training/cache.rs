//! Trunk outputs and motion on disk: one file for each version of each drive, named by a hash of what it was made from.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use anyhow::{Context, bail};
use deltasteer_perception::augment::DriveAugmentation;
use deltasteer_perception::motion::MotionConfig;
use deltasteer_perception::{CellExtractor, Device, PerceptionConfig};
use half::f16;
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::motion::{self, DriveMotion};
use super::part::Part;
use super::pooling::{Done, Pooled, pool};
use crate::{output, text};

/// Part of every name; another number makes every file anew. Raise it when augmentation or pre-processing change.
const FORMAT: &str = "deltasteer pooled 2";
/// The same of motion files: raise it when the motion sensor changes.
const MOTION_FORMAT: &str = "deltasteer motion 1";
/// What the folder may hold. When there is more, the files that were not used for the longest time go.
const LARGEST_BYTES: u64 = 20_000_000_000;
/// Versions computed in one reading of a drive: what an interruption can lose.
const GROUP: usize = 8;

/// The cache folder with the trunk whose outputs it keeps.
pub struct Cache {
    folder: PathBuf,
    tensors: Vec<u8>,
    config: PerceptionConfig,
    device: Device,
    /// Values of a row.
    cells: usize,
    /// Hash of trunk, pre-processing and device.
    trunk: Vec<u8>,
    /// Seeds the alterations.
    seed: u64,
}

impl Cache {
    /// Opens (and makes) the folder.
    ///
    /// # Errors
    /// A trunk that cannot be loaded, or a folder that cannot be made.
    pub fn open(
        folder: &Path,
        tensors: &[u8],
        config: &PerceptionConfig,
        device: Device,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let cells = CellExtractor::load(tensors, config, device)?.cell_count();
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        trim(folder, LARGEST_BYTES).with_context(|| folder.display().to_string())?;
        let mut trunk = trunk_hash(tensors, config)?;
        trunk.extend(device.to_string().bytes());
        let (folder, tensors, config) = (folder.to_owned(), tensors.to_owned(), config.clone());
        Ok(Self { folder, tensors, config, device, cells, trunk, seed })
    }

    /// What a cache folder holds, in words.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn contents(folder: &Path) -> anyhow::Result<String> {
        let files = files(folder).with_context(|| folder.display().to_string())?;
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let (bytes, largest) = (text::bytes(bytes as f64), text::bytes(LARGEST_BYTES as f64));
        Ok(format!("{}: {} files, {bytes} of at most {largest}", folder.display(), files.len()))
    }

    /// The alterations of version `version` of a drive.
    pub fn augmentation(&self, part: &Part, version: usize) -> DriveAugmentation {
        // Each drive has alterations of its own, by its times.
        let mut hash = Sha256::new();
        part.info.times_s.iter().for_each(|time_s| hash.update(time_s.to_le_bytes()));
        let own = hash.finalize().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
        DriveAugmentation::new(self.seed ^ own, version as u32, part.info.times_s.len())
    }

    /// Makes whatever of the first `versions` versions is missing.
    ///
    /// # Errors
    /// A drive that cannot be read, a disk that is full, an interruption; complete files stay.
    pub fn fill(&self, part: &mut Part, versions: usize, stop: &AtomicBool, done: Done<'_>) -> anyhow::Result<()> {
        let missing: Vec<usize> = (0..versions).filter(|&version| !self.path(part, version).is_file()).collect();
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let load = |_| CellExtractor::load(&self.tensors, &self.config, self.device);
        let mut extractors = (0..workers).map(load).collect::<Result<Vec<_>, _>>()?;
        done(part.frames() * (versions - missing.len()));
        for group in missing.chunks(GROUP) {
            let alterations: Vec<_> = group.iter().map(|&version| self.augmentation(part, version)).collect();
            let pooled = pool(part.source.as_mut(), part.range, &mut extractors, &alterations, stop, done)
                .with_context(|| part.name.clone())?;
            if pooled.iter().all(|version| version.index.is_empty()) {
                bail!("{}: not one frame could be read", part.name);
            }
            for (&version, pooled) in group.iter().zip(&pooled) {
                let values = pooled.values.as_slice().unwrap_or_default();
                write(&self.path(part, version), &pooled.index, ("pooled", Dtype::F16, bytemuck::cast_slice(values)))?;
            }
        }
        Ok(())
    }

    /// A version that [`Cache::fill`] has made.
    ///
    /// # Errors
    /// A file that is missing or damaged, by name.
    pub fn read(&self, part: &Part, version: usize) -> anyhow::Result<Pooled> {
        let path = self.path(part, version);
        let (index, values) = read(&path, "pooled", Dtype::F16, self.cells)
            .with_context(|| format!("{}: damaged; delete it and it is made anew", path.display()))?;
        let values = values.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect();
        Ok(Pooled { values: Array2::from_shape_vec((index.len(), self.cells), values)?, index })
    }

    /// The part's motion, from the cache or measured now.
    ///
    /// # Errors
    /// A drive that cannot be read, a file that is damaged, a disk that is full, an interruption.
    pub fn motion(
        &self,
        part: &mut Part,
        config: &MotionConfig,
        stop: &AtomicBool,
        done: Done<'_>,
    ) -> anyhow::Result<DriveMotion> {
        let camera = part.info.camera.focal_px / part.info.width as f32;
        let settings = format!("{MOTION_FORMAT} {camera} {}", serde_json::to_string(&config.unscaled())?);
        let path = self.path_of("motion", part, settings.as_bytes());
        if path.is_file() {
            done(part.frames());
            let (index, values) = read(&path, "motion", Dtype::F32, config.value_count())
                .with_context(|| format!("{}: damaged; delete it and it is made anew", path.display()))?;
            let values = values.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            return Ok(DriveMotion {
                values: Array2::from_shape_vec((index.len(), config.value_count()), values)?,
                index,
            });
        }
        let measured = motion::measure(part, config, stop, done).with_context(|| part.name.clone())?;
        let values = measured.values.as_slice().unwrap_or_default();
        write(&path, &measured.index, ("motion", Dtype::F32, bytemuck::cast_slice(values)))?;
        Ok(measured)
    }

    fn path(&self, part: &Part, version: usize) -> PathBuf {
        let mut settings = [FORMAT.as_bytes(), &self.trunk, &(version as u64).to_le_bytes()].concat();
        if version > 1 {
            settings.extend(self.seed.to_le_bytes());
        }
        self.path_of("pooled", part, &settings)
    }

    /// The file of what `settings` make of a part.
    fn path_of(&self, kind: &str, part: &Part, settings: &[u8]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(settings);
        hash.update(part.info.format);
        // The files and how their frames are cut; a made-up drive is what its name says.
        hash.update(&part.files);
        for number in [part.info.width, part.info.height, part.range.first, part.range.end] {
            hash.update((number as u64).to_le_bytes());
        }
        part.info.times_s.iter().for_each(|time_s| hash.update(time_s.to_le_bytes()));
        for angle in &part.info.steering_true_rad {
            hash.update(angle.unwrap_or(f32::NAN).to_le_bytes());
        }
        let name: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{kind}-{name}.safetensors"))
    }
}

/// A file of the cache.
struct Cached {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// The cache's own files in a folder.
fn files(folder: &Path) -> std::io::Result<Vec<Cached>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if ["pooled-", "motion-"].iter().any(|kind| name.starts_with(kind)) && name.ends_with(".safetensors") {
            let data = entry.metadata()?;
            files.push(Cached { path: entry.path(), bytes: data.len(), used: data.modified()? });
        }
    }
    Ok(files)
}

/// Removes the files that were not used for the longest time, until the others hold at most `bytes`.
fn trim(folder: &Path, bytes: u64) -> std::io::Result<()> {
    let mut files = files(folder)?;
    files.sort_by_key(|file| std::cmp::Reverse(file.used));
    let mut kept = 0;
    for file in files {
        kept += file.bytes;
        if kept > bytes {
            std::fs::remove_file(&file.path)?;
        }
    }
    Ok(())
}

/// Writes the frames' places and one row of values for each.
fn write(path: &Path, index: &[u32], (name, dtype, values): (&str, Dtype, &[u8])) -> anyhow::Result<()> {
    let rows = index.len();
    let columns = values.len() / dtype.bitsize().div_ceil(8) / rows.max(1);
    let views = [
        ("index", TensorView::new(Dtype::U32, vec![rows], bytemuck::cast_slice(index))?),
        (name, TensorView::new(dtype, vec![rows, columns], values)?),
    ];
    output::write_whole(path, &safetensors::serialize(views, None)?)
}

/// The frames' places and the bytes of their values.
fn read(path: &Path, name: &str, dtype: Dtype, columns: usize) -> anyhow::Result<(Vec<u32>, Vec<u8>)> {
    let bytes = std::fs::read(path)?;
    // Used now; a file system that cannot note it costs a recomputation at worst.
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    let file = SafeTensors::deserialize(&bytes)?;
    let (index, values) = (file.tensor("index")?, file.tensor(name)?);
    let rows = index.shape().first().copied().unwrap_or(0);
    if index.dtype() != Dtype::U32 || values.dtype() != dtype || values.shape() != [rows, columns] {
        bail!("holds {:?} {:?}, expected {dtype:?} [{rows}, {columns}]", values.dtype(), values.shape());
    }
    let index = index.data().chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok((index, values.data().to_vec()))
}

/// Hash of the trunk's tensors and of the settings before and behind it; the feature layer does not count.
pub fn trunk_hash(tensors: &[u8], config: &PerceptionConfig) -> anyhow::Result<Vec<u8>> {
    let file = SafeTensors::deserialize(tensors)?;
    let sorted: HashMap<_, _> = file.tensors().into_iter().collect();
    let mut names: Vec<&String> = sorted.keys().filter(|name| name.starts_with("trunk.")).collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name);
        hash.update(sorted[name].data());
    }
    // What lies before and behind the trunk, field by field: the feature layer and the way the CNN runs change no output.
    let PerceptionConfig { crop_rows_of_480, input_width, input_height, pixel_mean, pixel_scale, .. } = config;
    let PerceptionConfig { trunk, trunk_blocks, cells_across, cells_down, .. } = config;
    hash.update(format!("{crop_rows_of_480:?} {input_width}x{input_height} {pixel_mean} {pixel_scale}"));
    hash.update(format!("{} {trunk_blocks} {cells_across}x{cells_down}", serde_json::to_value(trunk)?));
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_drops_what_was_not_used_for_longest() {
        let folder = tempfile::tempdir().unwrap();
        for (age_s, name) in [(30, "pooled-a"), (10, "motion-b"), (20, "pooled-c")] {
            let file = File::create(folder.path().join(format!("{name}.safetensors"))).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s)).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), [0; 500]).unwrap();
        assert!(Cache::contents(folder.path()).unwrap().contains("3 files, 300 B of at most 20.0 GB"));
        trim(folder.path(), 250).unwrap();
        let left = || files(folder.path()).unwrap().into_iter().map(|file| file.path).collect::<Vec<_>>();
        assert!(left().len() == 2 && !left().iter().any(|path| path.ends_with("pooled-a.safetensors")), "{:?}", left());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn another_cut_or_other_pictures_under_the_same_labels_are_another_entry() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("center")).unwrap();
        let picture = |index: usize, grey: u8| {
            let path = folder.path().join(format!("center/{}.png", 1_000_000_000 + index * 50_000_000));
            image::RgbImage::from_pixel(64, 48, image::Rgb([grey; 3])).save(path).unwrap();
        };
        (0..3).for_each(|index| picture(index, 10));
        let labels = "frame_id,steering_angle\n1000000000,0.1\n1050000000,0.2\n1100000000,0.3\n";
        std::fs::write(folder.path().join("CH2_final_evaluation.csv"), labels).unwrap();
        let cache = Cache {
            folder: folder.path().join("cache"),
            tensors: Vec::new(),
            config: PerceptionConfig::default(),
            device: Device::Cpu,
            cells: 0,
            trunk: Vec::new(),
            seed: 1,
        };
        let entry = |spec: &str| cache.path(&Part::open(spec).unwrap(), 0);
        let drive = folder.path().display().to_string();
        let before = entry(&drive);
        assert_eq!(entry(&drive), before);
        let cuts = ["0:0", "8:4"].map(|place| entry(&format!("crop={place}:40:40,source={drive}")));
        assert!(cuts[0] != cuts[1] && !cuts.contains(&before));
        picture(1, 11);
        assert_ne!(entry(&drive), before);
        assert_ne!(entry("road:1,seconds=1"), entry("road:2,seconds=1"));
    }
}
