//! The models that are part of the program, and where newer ones are looked for.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What the name of a model begins with that is part of the program, such as `built-in:ch2`. It is used as a model folder is.
const BUILT_IN: &str = "built-in:";

/// A model folder inside the program.
struct Shipped {
    name: &'static str,
    card: &'static str,
    config: &'static str,
    weights: &'static [u8],
}

/// The named folders of `models/`.
macro_rules! shipped {
    ($($name:literal),*) => {
        [$(Shipped {
            name: $name,
            card: include_str!(concat!("../../models/", $name, "/CARD.md")),
            config: include_str!(concat!("../../models/", $name, "/config.json")),
            weights: include_bytes!(concat!("../../models/", $name, "/model.safetensors")),
        }),*]
    };
}

/// All of them. [`for_source`] names two: the one for cars, and the one for the built-in road.
const SHIPPED: [Shipped; 3] = shipped!["ch2", "ch2-frames", "road"];

/// The model for a source where the user names none: `road` for the built-in road, else `ch2`.
///
/// A folder of that name is looked for in the folder that `DELTASTEER_MODELS` names, in `models` beside the program, and in
/// `deltasteer/models` in the XDG data folders. The last resort is the one in the program.
///
/// # Errors
/// A folder in `DELTASTEER_MODELS` that is not there.
pub fn for_source(source: &str) -> anyhow::Result<PathBuf> {
    let bare = source.rsplit_once(",source=").map_or(source, |(_, bare)| bare);
    let name = if bare.starts_with("road:") { "road" } else { "ch2" };
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let mut places = Vec::new();
    if let Some(folder) = set("DELTASTEER_MODELS").map(PathBuf::from) {
        if !folder.is_dir() {
            bail!("DELTASTEER_MODELS: {}: no such folder; expected one with model folders", folder.display());
        }
        places.push(folder);
    }
    let program = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("models")));
    let home = set("HOME").map(|home| Path::new(&home).join(".local/share"));
    let data = set("XDG_DATA_HOME").map(PathBuf::from).or(home);
    let shared = set("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let shared: Vec<PathBuf> = std::env::split_paths(&shared).collect();
    places.extend(program);
    places.extend(data.into_iter().chain(shared).map(|folder| folder.join("deltasteer/models")));
    let found = places.into_iter().map(|place| place.join(name)).find(|folder| folder.join("config.json").is_file());
    Ok(found.unwrap_or_else(|| format!("{BUILT_IN}{name}").into()))
}

/// The models in the program: each by its name, with its card and its config.
pub fn all() -> impl Iterator<Item = (PathBuf, &'static str, &'static str)> {
    SHIPPED.iter().map(|model| (format!("{BUILT_IN}{}", model.name).into(), model.card, model.config))
}

/// `config.json` and `model.safetensors` of a model in the program; `None` where `folder` is a folder.
///
/// # Errors
/// A name that no model in the program has.
pub fn built_in(folder: &Path) -> Option<anyhow::Result<(&'static str, &'static [u8])>> {
    let name = folder.to_str()?.strip_prefix(BUILT_IN)?;
    let found = SHIPPED.iter().find(|model| model.name == name).map(|model| (model.config, model.weights));
    let names = || SHIPPED.map(|model| format!("{BUILT_IN}{}", model.name)).join(", ");
    Some(found.with_context(|| format!("{}: no such model; the built-in ones are {}", folder.display(), names())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    #[test]
    fn every_built_in_model_loads() {
        for model in &SHIPPED {
            let loaded = Model::load(Path::new(&format!("{BUILT_IN}{}", model.name))).unwrap();
            assert_eq!(loaded.name(), format!("{BUILT_IN}{}", model.name));
        }
        let message = format!("{:#}", Model::load(Path::new("built-in:none")).unwrap_err());
        assert!(message.contains("built-in:none") && message.contains("built-in:ch2"), "{message}");
        assert!(built_in(Path::new("models/ch2")).is_none());
    }
}
