use super::sampler::Failure;

/// Why reads failed, each reason kept once, so that a row of the ring holds a number in its place.
#[derive(Default)]
pub struct Failures(Vec<Failure>);

/// Broken hardware can invent reasons without end; beyond this many they are one.
const MOST: usize = 256;

impl Failures {
    /// Where `failure` stands in the list.
    pub fn index(&mut self, failure: Failure) -> usize {
        if let Some(index) = self.0.iter().position(|known| *known == failure) {
            return index;
        }
        if self.0.len() < MOST {
            self.0.push(failure);
        } else {
            self.0[MOST - 1] = Failure::Text("failed in too many ways to list them".into());
        }
        self.0.len() - 1
    }

    pub fn get(&self, index: usize) -> Option<&Failure> {
        self.0.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_each_reason_once_and_ends() {
        let mut failures = Failures::default();
        assert_eq!(failures.index(Failure::System(22)), 0);
        assert_eq!(failures.index(Failure::Text("busy".into())), 1);
        assert_eq!(failures.index(Failure::System(22)), 0);
        for number in 0..1000 {
            failures.index(Failure::Text(number.to_string()));
        }
        assert_eq!(failures.0.len(), MOST);
        assert_eq!(failures.get(0), Some(&Failure::System(22)));
        assert_eq!(failures.get(MOST), None);
    }
}
