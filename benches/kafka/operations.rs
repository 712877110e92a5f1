//! The tables of the operations page: printed, and put into the page when asked for.

use std::fs;
use std::path::Path;

/// Prints a table, and with `write` puts it in place of the one of this name.
pub fn publish(name: &str, table: &str, write: bool) {
    println!("\n{table}");
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/kafka/README.md");
        let page = fs::read_to_string(&path).expect("the page is part of the sources");
        fs::write(&path, replaced(&page, name, table)).expect("the sources are writable");
    }
}

/// The page with what stands between the marks of `name` replaced.
fn replaced(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("the page has a place for the table");
    let (_, after) = rest.split_once(&end).expect("the place has an end");
    format!("{before}{begin}{}\n{end}{after}", table.trim_end())
}
