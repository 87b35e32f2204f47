//! Reads what a process's `/metrics` says, in the text format of OpenMetrics.

/// The sum of a metric's samples that have this label, or of all; 0 if there is none.
pub(super) fn sum(text: &str, name: &str, label: Option<(&str, &str)>) -> f64 {
    let wanted = label.map(|(key, value)| format!("{key}=\"{value}\""));
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let mut labels = labels.split(',');
        match &wanted {
            Some(wanted) if !labels.any(|label| label == wanted) => None,
            _ => value.split(' ').next()?.parse::<f64>().ok(),
        }
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "# HELP lambent_x Things.
# TYPE lambent_x gauge
lambent_x{state=\"idle\"} 3
lambent_x{state=\"busy\",zone=\"a\"} 4
lambent_x_total 9
lambent_y_total 1.5 1700000000
# EOF
";

    #[test]
    fn samples_are_summed_by_name_and_label() {
        assert_eq!(sum(TEXT, "lambent_x", None), 7.0);
        assert_eq!(sum(TEXT, "lambent_x", Some(("state", "busy"))), 4.0);
        assert_eq!(sum(TEXT, "lambent_x_total", None), 9.0);
        assert_eq!(sum(TEXT, "lambent_y_total", None), 1.5);
        assert_eq!(sum(TEXT, "lambent_z", None), 0.0);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[a-x{}=\", 0-9\n]{0,200}") {
            sum(&text, "x", None);
            sum(&text, "x", Some(("a", "b")));
        }
    }
}
