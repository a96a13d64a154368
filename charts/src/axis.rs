use std::ops::Range;

/// From values to shares of a panel's height or width, with the marks to show.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    range: Range<f64>,
    is_log: bool,
}

impl Axis {
    /// Just these ends, as far as they are a range at all.
    pub(crate) fn exactly(range: Range<f64>, is_log: bool) -> Self {
        let low = if is_log && range.start <= 0.0 {
            f64::MIN_POSITIVE.max(range.end / 1e3)
        } else {
            range.start
        };
        let is_range = low.is_finite() && range.end.is_finite() && low < range.end;
        let range = match (is_range, is_log) {
            (true, _) => low..range.end,
            (false, false) => 0.0..1.0,
            (false, true) => 1.0..10.0,
        };
        Axis { range, is_log }
    }

    /// Ends that hold all values: from zero to a mark of three or fewer steps, or whole decades.
    pub(crate) fn around(values: impl Iterator<Item = f64>, is_log: bool) -> Self {
        let fit = values.filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        let (low, high) = fit.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Axis::exactly(0.0..0.0, is_log);
        }
        if is_log {
            let floor = low.log10().floor();
            let ceiling = high.log10().ceil().max(floor + 1.0);
            return Axis::exactly(10_f64.powf(floor)..10_f64.powf(ceiling), true);
        }
        let mut range = low.min(0.0)..high.max(0.0);
        // A wider range may need a larger step, which the second round finds.
        for _ in 0..2 {
            let step = step(range.end - range.start, 3);
            range = (range.start / step).floor() * step..(range.end / step).ceil() * step;
        }
        Axis::exactly(range, false)
    }

    /// Where a value is, 0 at the lower end and 1 at the upper; beyond them at the edge.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let Range { start, end } = self.range;
        let share = if self.is_log {
            (value.max(start) / start).log10() / (end / start).log10()
        } else {
            (value - start) / (end - start)
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values within the ends, about that many at most.
    pub(crate) fn marks(&self, at_most: usize) -> Vec<f64> {
        let Range { start, end } = self.range;
        // Rounding must not cost the mark at either end.
        let slack = 1e-9;
        let (first, last, step, base) = if self.is_log {
            let (low, high) = (start.log10(), end.log10());
            let decades = (high - low).max(1.0) / at_most as f64;
            (low, high, decades.ceil(), Some(10_f64))
        } else {
            (start, end, step(end - start, at_most), None)
        };
        let from = (first / step - slack).ceil() as i64;
        let to = (last / step + slack).floor() as i64;
        let marks = (from..=to).map(|n| n as f64 * step);
        match base {
            Some(base) => marks.map(|exponent| base.powf(exponent)).collect(),
            None => marks.collect(),
        }
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that cuts the span into at most `parts`.
fn step(span: f64, parts: usize) -> f64 {
    let least = span / parts as f64;
    if !(least.is_normal() && least > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = |step: &f64| step * power >= least * (1.0 - 1e-9);
    steps.into_iter().find(fits).unwrap_or(10.0) * power
}

/// A mark as a person would write it: `0`, `2.5`, `40k`, `3M`.
pub(crate) fn label(value: f64) -> String {
    let (value, suffix) = match value.abs() {
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = format!("{value:.3}");
    let short = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{}{suffix}", if short == "-0" { "0" } else { short })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, at_most: usize) -> Vec<String> {
        axis.marks(at_most).into_iter().map(label).collect()
    }

    #[test]
    fn marks_are_round_and_reach_both_ends() {
        let percent = Axis::exactly(0.0..100.0, false);
        assert_eq!(labels(&percent, 4), ["0", "25", "50", "75", "100"]);
        let tenths = Axis::exactly(0.0..0.3, false);
        assert_eq!(labels(&tenths, 3), ["0", "0.1", "0.2", "0.3"]);
        let negative = Axis::around([-3.0, 7.0].into_iter(), false);
        assert_eq!(labels(&negative, 3), ["-5", "0", "5", "10"]);
    }

    #[test]
    fn a_log_axis_spans_whole_decades() {
        let axis = Axis::around([12.0, 0.0, 2300.0, f64::NAN].into_iter(), true);
        assert_eq!(labels(&axis, 4), ["10", "100", "1000", "10k"]);
        assert!((axis.share(100.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(axis.share(0.0), 0.0);
        assert_eq!(axis.share(1e9), 1.0);
    }

    #[test]
    fn an_axis_without_values_still_has_two_ends() {
        for is_log in [false, true] {
            for axis in [
                Axis::around([f64::NAN].into_iter(), is_log),
                Axis::exactly(5.0..5.0, is_log),
                Axis::exactly(f64::NAN..1.0, is_log),
            ] {
                assert!(axis.marks(4).len() >= 2, "{axis:?}");
            }
        }
        assert!(Axis::around([0.0].into_iter(), false).marks(4).len() >= 2);
    }

    #[test]
    fn labels_are_short() {
        let shown = [0.0, -0.0, 0.25, 10.0, 1000.0, 25_000.0, 2.5e6].map(label);
        assert_eq!(shown, ["0", "0", "0.25", "10", "1000", "25k", "2.5M"]);
    }
}
