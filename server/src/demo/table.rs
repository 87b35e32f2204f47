//! The table that is shown: a line for each zone, and one for all.

use std::time::Duration;

use super::measured::percentile;

/// What is known of a zone.
#[derive(Clone, Default, Debug)]
pub(super) struct Row {
    pub(super) zone: String,
    /// Partitions of assignment that are led there.
    pub(super) leads: u64,
    /// Environments of its worker.
    pub(super) environments: u64,
    /// Environments that are idle and busy, of the partitions that are led there.
    pub(super) warm: u64,
    pub(super) busy: u64,
    /// Answers of its front door, since the last table and ever.
    pub(super) per_second: f64,
    pub(super) errors: u64,
    pub(super) cold_starts: u64,
    pub(super) took: Vec<Duration>,
}

/// The lines of a table.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<5}{:>7}{:>14}{:>6}{:>6}{:>11}{:>8}{:>10}{:>10}{:>13}",
        "ZONE",
        "LEADS",
        "ENVIRONMENTS",
        "WARM",
        "BUSY",
        "INVOKES/S",
        "ERRORS",
        "P50",
        "P99",
        "COLD STARTS"
    )];
    lines.extend(rows.iter().map(line));
    if rows.len() > 1 {
        lines.push(line(&all(rows)));
    }
    lines
}

fn line(row: &Row) -> String {
    let mut took = row.took.clone();
    format!(
        "{:<5}{:>7}{:>14}{:>6}{:>6}{:>11.1}{:>8}{:>10}{:>10}{:>13}",
        row.zone,
        row.leads,
        row.environments,
        row.warm,
        row.busy,
        row.per_second,
        row.errors,
        millis(percentile(&mut took, 50)),
        millis(percentile(&mut took, 99)),
        row.cold_starts,
    )
}

fn all(rows: &[Row]) -> Row {
    let mut all = Row {
        zone: "all".to_owned(),
        ..Row::default()
    };
    for row in rows {
        all.leads += row.leads;
        all.environments += row.environments;
        all.warm += row.warm;
        all.busy += row.busy;
        all.per_second += row.per_second;
        all.errors += row.errors;
        all.cold_starts += row.cold_starts;
        all.took.extend(&row.took);
    }
    all
}

fn millis(time: Option<Duration>) -> String {
    match time {
        Some(time) => format!("{:.1} ms", time.as_secs_f64() * 1_000.0),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_for_each_zone_and_one_for_all() {
        let row = |zone: &str, leads, millis: &[u64]| Row {
            zone: zone.to_owned(),
            leads,
            environments: 2,
            warm: 1,
            per_second: 20.04,
            cold_starts: 1,
            took: millis.iter().map(|ms| Duration::from_millis(*ms)).collect(),
            ..Row::default()
        };
        let shown = lines(&[row("a", 9, &[21, 30]), row("b", 7, &[])]);
        assert_eq!(
            shown,
            [
                "ZONE   LEADS  ENVIRONMENTS  WARM  BUSY  INVOKES/S  ERRORS       P50       P99  COLD STARTS",
                "a          9             2     1     0       20.0       0   21.0 ms   30.0 ms            1",
                "b          7             2     1     0       20.0       0         -         -            1",
                "all       16             4     2     0       40.1       0   21.0 ms   30.0 ms            2",
            ]
        );
        assert_eq!(lines(&[row("a", 1, &[])]).len(), 2);
    }
}
