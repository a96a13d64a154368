use crate::region::{Region, Standing};

use super::super::exclusions::Exclusions;

/// A region that a session could go to.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) region: Region,
    pub(super) standing: Standing,
}

/// Where to go.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) region: Region,
    /// Whether nothing speaks against it.
    pub(super) is_good: bool,
}

/// The first candidate that is not excluded and that calls go to; else one that calls pass over. Where
/// all are excluded, the one that is so for the longest time: a dead end is worse than a try.
pub(super) fn choose(candidates: Vec<Candidate>, excluded: &[Region], draw: f64) -> Option<Choice> {
    let against = |candidate: &Candidate| {
        let turn = Exclusions::turn(excluded, candidate.region.origin());
        let is_in = match candidate.standing {
            Standing::In => true,
            Standing::Partly(share) => draw < share,
            Standing::Out => false,
        };
        // None comes before Some, false before true, and of equals the first is chosen.
        let is_out = candidate.standing == Standing::Out;
        (turn, !is_in, is_out)
    };
    let chosen = candidates.into_iter().min_by_key(against)?;
    let is_good = Exclusions::turn(excluded, chosen.region.origin()).is_none()
        && chosen.standing != Standing::Out;
    Some(Choice {
        region: chosen.region,
        is_good,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name, format!("http://{name}")).unwrap()
    }

    /// Candidates in their order, `!` for one that is out and `~` for one on its ramp at a half; those
    /// excluded in theirs; which is chosen at this draw, and `?` where something speaks against it.
    const ROWS: [(&str, &str, f64, &str); 14] = [
        ("a b c", "", 0.0, "a"),
        ("a b c", "a", 0.0, "b"),
        ("a b c", "b a", 0.0, "c"),
        ("a b c", "b c a", 0.0, "b?"),
        ("a b c", "x b c a", 0.0, "b?"),
        ("!a b c", "", 0.0, "b"),
        ("!a b c", "b", 0.0, "c"),
        ("!a b c", "b c", 0.0, "a?"),
        ("!a !b", "", 0.0, "a?"),
        ("!a !b", "a", 0.0, "b?"),
        ("~a b", "", 0.4, "a"),
        ("~a b", "", 0.6, "b"),
        ("!a ~b", "", 0.6, "b"),
        ("", "a", 0.0, ""),
    ];

    #[test]
    fn what_is_not_excluded_goes_before_what_is_healthy() {
        for (candidates, excluded, draw, expected) in ROWS {
            let of = |text: &str| Candidate {
                region: region(text.trim_start_matches(['!', '~'])),
                standing: match &text[..1] {
                    "!" => Standing::Out,
                    "~" => Standing::Partly(0.5),
                    _ => Standing::In,
                },
            };
            let candidates: Vec<_> = candidates.split_whitespace().map(of).collect();
            let excluded: Vec<_> = excluded.split_whitespace().map(region).collect();
            let row = format!("{candidates:?}, {excluded:?} excluded, {draw}");
            let chosen = choose(candidates, &excluded, draw);
            let chosen = chosen.map(|choice| {
                let doubt = if choice.is_good { "" } else { "?" };
                format!("{}{doubt}", choice.region)
            });
            assert_eq!(chosen.unwrap_or_default(), expected, "{row}");
        }
    }
}
