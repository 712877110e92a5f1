//! Measured rows beside what they must reach.

use gaitkeeper::workbench::metrics::Proportion;
use serde_json::json;

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Nothing is asked.
    None,
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
}

/// One measured figure.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub count: u64,
    pub of: u64,
    /// The figure of the prototype behind DETECTION.md, where it states one.
    pub prototype: Option<f64>,
    pub bound: Bound,
}

/// Rows under one heading.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: &'static str,
    pub seed: u64,
    pub rows: Vec<Row>,
}

impl Row {
    pub fn new(name: impl Into<String>, (count, of): (u64, u64), prototype: Option<f64>, bound: Bound) -> Self {
        Self { name: name.into(), count, of, prototype, bound }
    }

    fn share(&self) -> f64 {
        self.count as f64 / (self.of as f64).max(1.0)
    }

    /// Whether the figure itself keeps the bound; its interval is beside it.
    fn kept(&self) -> bool {
        match self.bound {
            Bound::None => true,
            Bound::AtLeast(least) => self.share() >= least,
            Bound::AtMost(most) => self.share() <= most,
            Bound::Within(least, most) => (least..=most).contains(&self.share()),
        }
    }
}

impl Bound {
    fn shown(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
            Self::Within(least, most) => format!("{least} to {most}"),
        }
    }
}

impl Table {
    /// For people.
    pub fn print(&self) {
        println!("\n{} (seed {})", self.name, self.seed);
        println!("  {:<34} {:>7} {:>17} {:>7} {:>10}  {:<13}", "", "found", "95 % interval", "of", "prototype", "asked");
        for row in &self.rows {
            let interval = Proportion::new(row.count, row.of);
            let prototype = row.prototype.map_or_else(String::new, |figure| format!("{figure:.3}"));
            println!(
                "  {:<34} {:>7.3} {:>17} {:>7} {prototype:>10}  {:<13}{}",
                row.name,
                row.share(),
                format!("[{:.3}, {:.3}]", interval.low, interval.high),
                row.of,
                row.bound.shown(),
                if row.kept() { "" } else { "MISSED" }
            );
        }
    }

    /// For programs: one JSON line a row.
    pub fn print_json(&self) {
        for row in &self.rows {
            let interval = Proportion::new(row.count, row.of);
            println!(
                "{}",
                json!({
                    "table": self.name, "seed": self.seed, "row": row.name, "share": row.share(), "count": row.count, "of": row.of,
                    "low": interval.low, "high": interval.high, "prototype": row.prototype, "asked": row.bound.shown(), "kept": row.kept(),
                })
            );
        }
    }

    /// How many rows miss what is asked.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|row| !row.kept()).count()
    }
}
