//! From a file and the environment to a checked [`Config`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::document::{self, Place, Problem, VARIABLE_PREFIX};
use super::section::Section;
use super::{Config, read_engine, read_kafka};

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What to call the file in messages.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { place, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match place {
                Place::File { line, column } => write!(f, "{}:{line}:{column}: {message}", self.file)?,
                Place::Variable(name) => write!(f, "{name}: {message}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Why a configuration file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Its path.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It can be read, but not be used.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
}

impl Config {
    /// Reads a file, or nothing but the defaults, and the environment of this process.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and for everything that [`Config::parse`] refuses.
    pub fn load(path: Option<&Path>) -> Result<Self, LoadError> {
        let file = path.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
        let text = match path {
            Some(path) => std::fs::read_to_string(path).map_err(|source| LoadError::Read { file: file.clone(), source })?,
            None => String::new(),
        };
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let config = Self::parse(&text, variables).map_err(|problems| ConfigError { file, problems })?;
        Ok(config)
    }

    /// Reads a text and overrides it with the variables that begin with `GAITKEEPER__`.
    ///
    /// # Errors
    ///
    /// Every unknown key, wrong type, value out of range and contradiction, each with its place.
    pub fn parse(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        let ours: BTreeMap<String, String> = variables.into_iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        let mut document = document::parse(text).map_err(|problem| vec![problem])?;
        document::override_with(&mut document, &ours).map_err(|problem| vec![problem])?;
        let problems = RefCell::new(Vec::new());
        let config = Self::read(Section::root(&document, &problems));
        let mut problems = problems.into_inner();
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn read(root: Section<'_>) -> Self {
        let kafka = read_kafka::kafka(root.section("kafka"));
        let topics = read_kafka::topics(root.section("topics"));
        let inputs = read_kafka::inputs(&root, &topics.events);
        let outputs = read_kafka::outputs(&root, &inputs, &topics);
        let ends = inputs.iter().map(|input| &*input.topic).chain(outputs.iter().map(|output| &*output.topic));
        let names = ends.chain(topics.entries().into_iter().map(|(_, topic)| topic));
        read_kafka::check_lengths(&root.section("kafka"), &kafka.topic_prefix, names);
        let config = Self {
            engine: read_engine::engine(&root),
            admin_listen: read_kafka::admin_listen(root.section("admin"), &Self::default().admin_listen),
            kafka,
            topics,
            inputs,
            outputs,
        };
        root.finish();
        config
    }
}
