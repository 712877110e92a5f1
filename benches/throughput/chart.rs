//! The cost of an event against the number of agents, as a drawing.

use std::fmt::Write as _;

use crate::scaling::Point;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 48.0;

/// One line from point to point, agents on a logarithmic scale; a bar from the lowest to the highest slice at each.
pub fn cost_by_agents(points: &[Point]) -> String {
    let highest = points.iter().map(|point| point.cpu_ns.high).fold(1_000.0, f64::max);
    let step = if highest > 10_000.0 { 5_000.0 } else { 1_000.0 };
    let top = (highest / step).ceil() * step;
    let logs: Vec<f64> = points.iter().map(|point| (point.agents as f64).log10()).collect();
    let (first, last) = (logs.first().copied().unwrap_or(3.0), logs.last().copied().unwrap_or(6.0));
    let x = |log: f64| LEFT + (log - first) / (last - first).max(1e-9) * (WIDTH - LEFT - RIGHT);
    let y = |ns: f64| HEIGHT - BOTTOM - ns / top * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>CPU time of an event against the number of agents</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let mut line = |text: String| svg.push_str(&(text + "\n"));
    let mut tick = 0.0;
    while tick <= top {
        let at = y(tick);
        let right = WIDTH - RIGHT;
        line(format!("<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"));
        line(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} µs</text>", LEFT - 6.0, at + 4.0, tick / 1_000.0));
        tick += step;
    }
    let mut path = String::new();
    for (point, log) in points.iter().zip(&logs) {
        let (at, ns) = (x(*log), point.cpu_ns);
        let _ = write!(path, "{at:.1},{:.1} ", y(ns.median));
        line(format!("<line x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#36c\"/>", y(ns.low), y(ns.high)));
        line(format!("<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#36c\"/>", y(ns.median)));
        line(format!("<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", HEIGHT - BOTTOM + 18.0, shortened(point.agents)));
    }
    line(format!("<polyline points=\"{}\" fill=\"none\" stroke=\"#36c\" stroke-width=\"1.5\"/>", path.trim_end()));
    let (middle, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 10.0);
    line(format!("<text x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">agents that take turns</text>"));
    svg + "</svg>\n"
}

fn shortened(agents: usize) -> String {
    if agents >= 1_000_000 { format!("{}M", agents / 1_000_000) } else { format!("{}k", agents / 1_000) }
}
