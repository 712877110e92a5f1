//! The shape of the tree is a test too: layers, sizes, and what lower layers may not touch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Highest first. A module may name only modules of lower rows.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["stream", "workbench"],
    &["admin"],
    &["engine"],
    &["detect", "govern"],
    &["baseline"],
    &["config"],
    &["event", "finding"],
    &["stats", "allocator"],
];
const LINES_MAX: usize = 500;

/// Rows from the engine down: same input, same output.
const DETERMINISTIC: &[&str] = &["engine", "detect", "govern", "baseline", "event", "finding", "stats"];
const NOT_DETERMINISTIC: &[&str] = &[
    "SystemTime",
    "Instant",
    "thread_rng",
    "from_os_rng",
    "rand::rng",
    "RandomState",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::process",
    "std::thread",
    "rdkafka",
    "tokio",
];

/// Where nothing may know what a recorded stream calls misuse.
const BLIND: &[&str] = &["engine", "detect", "govern", "baseline"];
const GROUND_TRUTH: &[&str] = &["label", "session_label", "labels"];

const PRINTING: &[&str] = &["println!", "eprintln!", "print!", "eprint!", "dbg!"];

/// What a clone holds besides dotfiles; folders in the second list come with what fills them.
const TOP_LEVEL: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "rustfmt.toml", "src", "tests"];
const TOP_LEVEL_LATER: &[&str] = &["benches", "fixtures", "models"];

struct Source {
    /// Relative to `src`.
    path: PathBuf,
    /// First folder, or the file's own name at the top.
    layer: String,
    /// Without comments.
    code: String,
    /// Without comments and what is compiled only for tests.
    shipped: String,
    lines: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let texts: Vec<(PathBuf, String)> = files_below(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (path.strip_prefix(&src).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    let test_modules: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| modules_for_tests(path, text)).collect();
    let source = |(path, text): (PathBuf, String)| {
        let code = without_comments(&text);
        let is_for_tests = test_modules.iter().any(|module| path.with_extension("") == *module || path.starts_with(module));
        let shipped = if is_for_tests { String::new() } else { code.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned() };
        let layer = path.with_extension("").components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        Source { layer, lines: text.lines().count(), code, shipped, path }
    };
    texts.into_iter().map(source).collect()
}

/// Paths, without extension, of the files behind `#[cfg(test)] mod name;`.
fn modules_for_tests(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = if path.ends_with("mod.rs") || path.components().count() == 1 {
        path.parent().unwrap().to_owned()
    } else {
        path.with_extension("")
    };
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|after| after.lines().next());
    let name = |line: &str| Some(line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    declared.filter_map(name).map(|name| folder.join(name)).collect()
}

/// Line comments are cut. A `//` inside a string cuts too much, which can only hide what a string holds.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).flat_map(|line| [line, "\n"]).collect()
}

/// The modules of this crate that the code names, grouped imports included.
fn names_of(code: &str) -> BTreeSet<String> {
    let identifier = |text: &str| text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            names.insert(identifier(after));
            continue;
        };
        let mut depth = 0_usize;
        let mut at_name = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_name = true,
                _ if at_name && letter.is_alphabetic() => {
                    names.insert(identifier(&group[at..]));
                    at_name = false;
                }
                _ => (),
            }
        }
    }
    names
}

fn row(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

/// Names that stand alone, not as a part of a longer one.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[track_caller]
fn check_none(mistakes: &[String]) {
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn arrows_point_down() {
    let mut mistakes = Vec::new();
    for source in sources() {
        if matches!(&*source.layer, "lib" | "main") {
            continue;
        }
        let Some(own) = row(&source.layer) else {
            mistakes.push(format!("{}: `{}` is in no row of LAYERS", source.path.display(), source.layer));
            continue;
        };
        for name in names_of(&source.code) {
            let is_upward = row(&name).is_some_and(|other| other <= own);
            if is_upward && name != source.layer {
                mistakes.push(format!("{}: names `{name}`, which is not below `{}`", source.path.display(), source.layer));
            }
        }
    }
    check_none(&mistakes);
}

#[test]
fn grouped_imports_are_seen() {
    let names = names_of("use crate::event::Event;\nuse crate::{stream::{a, b}, stats};\nlet x = crate::cli::main();");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["cli", "event", "stats", "stream"]);
}

/// `super::super::name` from the top of a layer is `crate::name` in disguise.
#[test]
fn nobody_climbs_out_of_a_layer() {
    let mut mistakes = Vec::new();
    for source in sources() {
        // How many `super` lead from this file's module to the crate; test modules within a file need one more.
        let depth = source.path.components().count() - usize::from(source.path.ends_with("mod.rs"));
        for other in LAYERS.concat() {
            if source.shipped.contains(&format!("{}{other}::", "super::".repeat(depth))) {
                mistakes.push(format!("{}: climbs to `{other}`, expected `crate::{other}`", source.path.display()));
            }
        }
    }
    check_none(&mistakes);
}

#[test]
fn files_stay_short() {
    let long = sources().into_iter().filter(|source| source.lines > LINES_MAX);
    check_none(&long.map(|source| format!("{}: {} lines, at most {LINES_MAX}", source.path.display(), source.lines)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_put_off() {
    let put_off = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let mut mistakes = Vec::new();
    for folder in ["src", "tests", "benches", ".ci"] {
        for path in files_below(&root().join(folder)) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for (index, line) in
                text.lines().enumerate().filter(|(_, line)| put_off.iter().any(|word| words(line).any(|other| other == word)))
            {
                mistakes.push(format!("{}:{}: {line}", path.display(), index + 1));
            }
        }
    }
    check_none(&mistakes);
}

#[test]
fn from_the_engine_down_nothing_depends_on_anything_but_its_input() {
    let mut mistakes = Vec::new();
    for source in sources().into_iter().filter(|source| DETERMINISTIC.contains(&&*source.layer)) {
        for (index, line) in source.shipped.lines().enumerate() {
            for name in NOT_DETERMINISTIC.iter().filter(|name| line.contains(**name)) {
                mistakes.push(format!("{}:{}: {name}", source.path.display(), index + 1));
            }
        }
    }
    check_none(&mistakes);
}

#[test]
fn detection_cannot_see_the_ground_truth() {
    let mut mistakes = Vec::new();
    for source in sources().into_iter().filter(|source| BLIND.contains(&&*source.layer)) {
        for word in GROUND_TRUTH.iter().filter(|word| words(&source.code).any(|other| other == **word)) {
            mistakes.push(format!("{}: {word}", source.path.display()));
        }
    }
    check_none(&mistakes);
}

#[test]
fn only_commands_print_and_only_commands_take_any_error() {
    let mut mistakes = Vec::new();
    for source in sources().into_iter().filter(|source| source.layer != "cli") {
        let prints = PRINTING.iter().filter(|print| words_with_bang(&source.shipped).any(|word| word == **print));
        mistakes.extend(prints.map(|print| format!("{}: {print}", source.path.display())));
        if words(&source.shipped).any(|word| word == "anyhow") {
            mistakes.push(format!("{}: anyhow", source.path.display()));
        }
    }
    check_none(&mistakes);
}

/// Names with the `!` of a macro.
fn words_with_bang(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '!')
}

#[test]
fn the_top_level_is_the_one_of_the_design() {
    // What git tracks, so that the output of a command left lying about is no mistake.
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().ok().filter(|output| output.status.success());
    let Some(listed) = listed.filter(|output| !output.stdout.is_empty()) else {
        println!("skipped: no git here to list the tree");
        return;
    };
    let tracked: BTreeSet<String> =
        String::from_utf8(listed.stdout).unwrap().lines().filter_map(|path| path.split('/').next()).map(str::to_owned).collect();
    let mut mistakes: Vec<String> = tracked
        .iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&&***name) && !TOP_LEVEL_LATER.contains(&&***name))
        .map(|name| format!("{name} is not part of the design"))
        .collect();
    mistakes.extend(TOP_LEVEL.iter().filter(|name| !tracked.contains(**name)).map(|name| format!("{name} is missing")));
    check_none(&mistakes);
}
