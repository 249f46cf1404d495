//! The drives of an `eval`: those of the command line, of a list, and of a manifest (CSV or Parquet) with a camera and a stretch for each.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use clap::{CommandFactory, Parser};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;

use crate::cli::{CameraArgs, EvalArgs};
use crate::session::RunOptions;
use crate::warn;

/// Columns of a manifest that name a drive.
const SOURCES: [&str; 3] = ["path", "url", "source"];
/// The most rows of a manifest.
const MAX_ROWS: usize = 10_000_000;

/// One drive to evaluate.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As the user named it.
    pub source: String,
    /// With its camera, as `deltasteer_data::open` takes it.
    pub spec: String,
    /// How to run it.
    pub run: RunOptions,
}

/// A row of a manifest: its columns have the names of the command line's options.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Row {
    #[arg(allow_hyphen_values = true)]
    source: String,
    #[command(flatten)]
    camera: CameraArgs,
    #[arg(long, allow_negative_numbers = true)]
    from: Option<f64>,
    #[arg(long, allow_negative_numbers = true)]
    to: Option<f64>,
}

/// A manifest as text, whatever kind of file it was.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// All drives that the command line names, in that order.
///
/// # Errors
/// A list that cannot be read or names no drive; a manifest with a value that the option of its column refuses.
pub fn all(args: &EvalArgs) -> anyhow::Result<Vec<Asked>> {
    let plain = |source: &String| Row { source: source.clone(), camera: CameraArgs::default(), from: None, to: None };
    let mut rows: Vec<Row> = args.sources.iter().map(plain).collect();
    if let Some(list) = &args.drives {
        let listed = read(list).with_context(|| format!("--drives {}", list.display()))?;
        if listed.is_empty() {
            bail!("--drives {}: names no drive; expected one a line", list.display());
        }
        rows.extend(listed);
    }
    Ok(rows.into_iter().map(|row| Asked::of(row, args)).collect())
}

impl Asked {
    /// What a row leaves open is as on the command line.
    fn of(row: Row, args: &EvalArgs) -> Self {
        let options = args.run.options();
        let run = RunOptions { from_s: row.from.or(options.from_s), to_s: row.to.or(options.to_s), ..options };
        Self { spec: row.camera.or(&args.run.camera).spec(&row.source), source: row.source, run }
    }
}

fn read(list: &Path) -> anyhow::Result<Vec<Row>> {
    let has = |suffix: &str| list.extension().is_some_and(|own| own.eq_ignore_ascii_case(suffix));
    if has("parquet") {
        // The crate trusts some lengths in the file, so that a wrong one is a panic.
        let table = catch_unwind(AssertUnwindSafe(|| parquet_table(list)));
        return rows_of(table.unwrap_or_else(|_| Err(anyhow!("its pages contradict each other")))?, "row", 1);
    }
    let text =
        if list == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(list) };
    let text = text?;
    let named = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let lines = || text.lines().map(str::trim).filter(named);
    // A drive's own name holds no comma beside the word "path".
    let header = |line: &str| line.contains(',') && line.split(',').any(|cell| SOURCES.contains(&&*option(cell)));
    if has("csv") || lines().next().is_some_and(header) {
        return rows_of(csv_table(&text)?, "line", 2);
    }
    let camera = CameraArgs::default;
    Ok(lines().map(|line| Row { source: line.to_owned(), camera: camera(), from: None, to: None }).collect())
}

/// A column's name as an option of the command line is written.
fn option(column: &str) -> String {
    column.trim().trim_matches('"').to_lowercase().replace('_', "-")
}

fn csv_table(text: &str) -> anyhow::Result<Table> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns = reader.headers()?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
    Ok(Table { columns, rows: rows.collect::<Result<_, csv::Error>>()? })
}

fn parquet_table(path: &Path) -> anyhow::Result<Table> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let columns = fields.iter().map(|field| field.name().to_owned()).collect();
    let cell = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    };
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        if rows.len() == MAX_ROWS {
            bail!("more than {MAX_ROWS} rows");
        }
        rows.push(row?.get_column_iter().map(|(_, field)| cell(field)).collect());
    }
    Ok(Table { columns, rows })
}

/// `unit` and `first` say where in the file a row is.
fn rows_of(table: Table, unit: &str, first: usize) -> anyhow::Result<Vec<Row>> {
    let columns: Vec<String> = table.columns.iter().map(|column| option(column)).collect();
    let Some(source) = columns.iter().position(|column| SOURCES.contains(&column.as_str())) else {
        bail!("has the columns {}; expected one called path, url or source", table.columns.join(", "));
    };
    let command = Row::command();
    let known = |name: &str| command.get_arguments().any(|argument| argument.get_long() == Some(name));
    let others = || columns.iter().enumerate().filter(|(at, _)| *at != source);
    let unused: Vec<&str> =
        others().filter(|(_, name)| !known(name)).map(|(at, _)| table.columns[at].as_str()).collect();
    if !unused.is_empty() {
        warn!("note: columns of the manifest that are no option and are not used: {}", unused.join(", "));
    }
    let mut rows = Vec::new();
    for (place, cells) in table.rows.iter().enumerate() {
        let row = || -> anyhow::Result<Row> {
            if cells[source].is_empty() {
                bail!("names no drive");
            }
            let given = others().filter(|(at, name)| known(name) && !cells[*at].is_empty());
            let options = given.map(|(at, name)| format!("--{name}={}", cells[at]));
            let words = options.chain(["--".to_owned(), cells[source].clone()]);
            Row::try_parse_from(words).map_err(|error| anyhow!("{}", first_line(&error.to_string())))
        };
        rows.push(row().with_context(|| format!("{unit} {}", place + first))?);
    }
    Ok(rows)
}

/// What is wrong, without the usage that does not concern a file.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message).trim_start_matches("error: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    fn drives(file: &str, text: &str, more: &[&str]) -> anyhow::Result<Vec<Asked>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        let words = ["deltasteer", "eval", "--drives", path.to_str().unwrap()];
        match Cli::try_parse_from(words.iter().chain(more)).unwrap().command {
            Command::Eval(args) => all(&args),
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_manifests_columns_are_options_and_what_is_empty_is_the_command_lines() {
        let text = "id,Path,fov,camera_topic,from,to\n1,a.mcap,60,/front,2,\n2,\"b, c.mp4\",,,,9\n";
        for file in ["m.csv", "m.txt"] {
            let found = drives(file, text, &["--fov", "80", "--to", "30", "--steering", "/s.angle"]).unwrap();
            let range = |asked: &Asked| (asked.run.from_s, asked.run.to_s);
            assert_eq!((found[0].source.as_str(), range(&found[0])), ("a.mcap", (Some(2.0), Some(30.0))));
            assert_eq!((found[1].source.as_str(), range(&found[1])), ("b, c.mp4", (None, Some(9.0))));
            assert!(found[0].spec.contains("fov=60") && found[0].spec.contains("/front"), "{}", found[0].spec);
            assert!(found[1].spec.contains("fov=80") && !found[1].spec.contains("/front"), "{}", found[1].spec);
            assert!(found.iter().all(|asked| asked.spec.contains("/s.angle")));
        }
        assert_eq!(drives("m.txt", "# path, fov\n a b.mp4 \n\n", &[]).unwrap()[0].source, "a b.mp4");
    }

    #[test]
    fn a_manifest_that_makes_no_sense_is_refused_by_line_and_column() {
        for (text, expected) in [
            ("path,fov\na,60\nb,wide\n", ["line 3", "--fov"]),
            ("path,fov\na,60\n,70\n", ["line 3", "names no drive"]),
            ("file,fov\na,60\n", ["file, fov", "path, url or source"]),
            ("path,fov\na\n", ["fields", "2"]),
            ("path,fov\n", ["names no drive", "one a line"]),
        ] {
            let message = format!("{:#}", drives("m.csv", text, &[]).unwrap_err());
            assert!(message.contains("--drives") && expected.iter().all(|word| message.contains(word)), "{message}");
        }
        let message = format!("{:#}", drives("m.parquet", "PAR1 but not really PAR1", &[]).unwrap_err());
        assert!(message.contains("m.parquet"), "{message}");
    }
}
