//! The table, in Markdown.

use super::{
    cases::{Bar, Case},
    child::Cost,
    parent::Row,
    peers::Peer,
};

pub(crate) const HEAD: &str = "\
| case | logger | ns | × `json()` | allocations | bytes | bar |
|---|---|--:|--:|--:|--:|---|
";

/// The rows of one case.
pub(crate) fn group(case: &Case, rows: &[Row]) -> String {
    let json = cost_of(rows, Peer::Json).map(|cost| cost.nanos);
    let row = |(index, row): (usize, &Row)| {
        let title = if index == 0 { case.title } else { "" };
        let ratio = json.map_or_else(String::new, |json| format!("{:.2}", row.cost.nanos / json));
        let bars = if index == 0 { judge(case, rows) } else { String::new() };
        let Cost { nanos, allocations, bytes } = row.cost;
        let digits = if nanos < 10.0 { 2 } else { 0 };
        format!(
            "| {title} | {} | {nanos:.digits$} | {ratio} | {} | {bytes:.0} | {bars} |\n",
            row.peer.title(),
            short(allocations)
        )
    };
    rows.iter().enumerate().map(row).collect()
}

fn cost_of(rows: &[Row], peer: Peer) -> Option<Cost> {
    rows.iter().find(|row| row.peer == peer).map(|row| row.cost)
}

/// `0`, `3`, `0.004`: a rare allocation does not vanish; nothing where nothing was counted.
fn short(allocations: f64) -> String {
    if allocations.is_nan() {
        String::new()
    } else if allocations.fract() == 0.0 {
        format!("{allocations}")
    } else {
        format!("{allocations:.3}")
    }
}

fn judge(case: &Case, rows: &[Row]) -> String {
    let verdicts: Vec<_> = case.bars.iter().filter_map(|bar| verdict(*bar, rows)).collect();
    verdicts.join("; ")
}

fn verdict(bar: Bar, rows: &[Row]) -> Option<String> {
    let nanos = |peer| cost_of(rows, peer).map(|cost| cost.nanos);
    let strata = cost_of(rows, Peer::Strata)?;
    let (text, met) = match bar {
        Bar::Ratio(most) => (format!("≤ {most:.2} ×"), strata.nanos / nanos(Peer::Json)? <= most),
        Bar::Allocations(most) => (format!("≤ {most} allocations"), strata.allocations <= most),
        Bar::Shapes(most) => {
            let ratio = |row: &Row| row.cost.nanos / strata.nanos;
            let most_of = |row: &Row| if row.peer == Peer::StrataLogfmt { 1.0 } else { most };
            let over: Vec<_> = rows.iter().filter(|row| ratio(row) > most_of(row)).map(|row| row.peer.name()).collect();
            let text = format!("≤ {most:.2} × the first row, logfmt ≤ 1");
            let (text, met) =
                if over.is_empty() { (text, true) } else { (format!("{text} ({})", over.join(", ")), false) };
            (text, met && rows.iter().all(|row| row.cost.allocations == 0.0))
        }
        Bar::SecondHandler => {
            let formatting = strata.nanos - nanos(Peer::Capture)?;
            let by_tee = nanos(Peer::StrataTee)? - strata.nanos;
            let by_layer = nanos(Peer::StrataLayers)? - strata.nanos;
            let text = format!(
                "`Tee` adds {by_tee:.0} ns, a layer {by_layer:.0}; formatting and delivery are {formatting:.0} (≤ 1.15 ×)"
            );
            (text, by_tee <= formatting * 1.15)
        }
    };
    Some(format!("{text}: {}", if met { "met" } else { "**not met**" }))
}
