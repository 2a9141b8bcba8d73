//! `decide`: how long one decision takes, at 1,000 and at 100,000 rules, against casbin-rs.

pub mod casbin_peer;
pub mod questions;

use crate::report::{Figure, Report};
use crate::statistics::{Durations, median};
use anyhow::{Context as _, ensure};
use casbin_peer::Casbin;
use clap::Args;
use questions::{Engine, NOW_MS, Question, Resource, Size, World};
use std::hint::black_box;
use std::time::Instant;
use stoa_policy::{CompiledSubject, Context, decide};

const SEED: u64 = 20_260_101;
const RULES: [usize; 2] = [1_000, 100_000];

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Random questions at each number of rules.
    #[arg(long, default_value_t = 20_000)]
    questions: usize,
    /// Users that the questions are about.
    #[arg(long, default_value_t = 1_000)]
    subjects: usize,
    /// Measurements of each engine at each number of rules, in turns.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// Passes over all questions in one measurement.
    #[arg(long, default_value_t = 5)]
    passes: usize,
    /// Questions that casbin gets in one measurement at 1,000 rules; a tenth of them at 100,000.
    #[arg(long, default_value_t = 300)]
    casbin_questions: usize,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            questions: 1_000,
            subjects: 100,
            repetitions: 3,
            passes: 1,
            casbin_questions: 20,
        }
    }
}

/// Measures and reports.
///
/// # Errors
/// When the engines disagree, or a result cannot be written.
pub async fn run(options: &Options, report: &Report) -> anyhow::Result<()> {
    let mut contests = Vec::new();
    for rules in RULES {
        println!("decide: preparing {rules} rules");
        contests.push(Contest::prepare(rules, options).await?);
    }
    for repetition in 0..options.repetitions {
        for contest in &mut contests {
            contest.measure(repetition, options)?;
        }
    }
    let mut figures: Vec<Figure> = contests.iter().flat_map(Contest::figures).collect();
    if let [few, many] = contests.as_slice() {
        let (few, many) = (&few.ours.p50, &many.ours.p50);
        figures.push(
            Figure::new("p50, 100,000 rules against 1,000", median(many), "ns")
                .against("1,000 rules", median(few))
                .ratio_at_most(2.0)
                .of(many),
        );
    }
    let agreed: usize = contests.iter().map(|contest| contest.agreed).sum();
    println!("decide: both engines agreed on all of {agreed} questions");
    report.add("decide", &figures)
}

/// Figures of one engine, one per repetition, in nanoseconds.
#[derive(Debug, Default)]
struct Taken {
    p50: Vec<f64>,
    p99: Vec<f64>,
    mean: Vec<f64>,
}

/// Both engines with the same rules.
struct Contest {
    world: World,
    engine: Engine,
    casbin: Casbin,
    ours: Taken,
    theirs: Taken,
    agreed: usize,
}

/// A question as the caller of the engine holds it.
type Prepared<'a> = (&'a CompiledSubject, &'a str, &'a Resource);

impl Contest {
    async fn prepare(rules: usize, options: &Options) -> anyhow::Result<Self> {
        let Options {
            questions, subjects, ..
        } = *options;
        let world = questions::world(
            Size {
                rules,
                subjects,
                questions,
            },
            SEED,
        )?;
        Ok(Self {
            engine: Engine::compile(world.policy.clone(), world.subjects.clone())?,
            casbin: Casbin::load(&world).await?,
            world,
            ours: Taken::default(),
            theirs: Taken::default(),
            agreed: 0,
        })
    }

    fn measure(&mut self, repetition: usize, options: &Options) -> anyhow::Result<()> {
        let (engine, world) = (&self.engine, &self.world);
        let questions = world
            .questions
            .iter()
            .map(|question| prepared(engine, world, question));
        let questions = questions.collect::<anyhow::Result<Vec<_>>>()?;
        // Warm, as a running process is.
        pass(engine, &questions);
        let mut each = Durations::new();
        let mut whole = f64::INFINITY;
        for _ in 0..options.passes {
            let start = Instant::now();
            pass(engine, &questions);
            whole = whole.min(start.elapsed().as_nanos() as f64);
            timed_pass(engine, &questions, &mut each);
        }
        let asked = questions.len() as f64;
        self.ours.p50.push(each.nanos_at(0.5));
        self.ours.p99.push(each.nanos_at(0.99));
        self.ours.mean.push(whole / asked);
        self.measure_peer(repetition, options)
    }

    /// The peer gets other questions each time, and must agree on every one.
    fn measure_peer(&mut self, repetition: usize, options: &Options) -> anyhow::Result<()> {
        let share = if self.world.policy.grants.len() > 10_000 {
            10
        } else {
            1
        };
        let count = (options.casbin_questions / share).max(5);
        let mut each = Durations::new();
        let mut sum = 0.0;
        let chosen = self
            .world
            .questions
            .iter()
            .cycle()
            .skip(repetition * count)
            .take(count);
        for question in chosen {
            let (_, permission, resource) = prepared(&self.engine, &self.world, question)?;
            let ours = self.engine.allows(question.subject, permission, resource)?;
            let request = casbin_peer::request(&self.world, question)?;
            let start = Instant::now();
            let theirs = self.casbin.allows(request)?;
            let took = start.elapsed();
            ensure!(
                ours == theirs,
                "casbin says {theirs} and we say {ours} to {question:?}"
            );
            each.add(took);
            sum += took.as_nanos() as f64;
            self.agreed += 1;
        }
        self.theirs.p50.push(each.nanos_at(0.5));
        self.theirs.p99.push(each.nanos_at(0.99));
        self.theirs.mean.push(sum / count as f64);
        Ok(())
    }

    fn figures(&self) -> Vec<Figure> {
        let rules = self.world.policy.grants.len();
        let figure = |what: &str, ours: &[f64], theirs: &[f64]| {
            Figure::new(format!("{what}, {rules} rules"), median(ours), "ns")
                .against("casbin-rs", median(theirs))
                .of(ours)
        };
        vec![
            figure("p50", &self.ours.p50, &self.theirs.p50).below(1000.0),
            figure("p99", &self.ours.p99, &self.theirs.p99),
            figure("mean", &self.ours.mean, &self.theirs.mean),
        ]
    }
}

fn prepared<'a>(
    engine: &'a Engine,
    world: &'a World,
    question: &'a Question,
) -> anyhow::Result<Prepared<'a>> {
    let subject = engine.subjects.get(question.subject).context("no such subject")?;
    let permission = world
        .permissions
        .get(question.permission)
        .context("no such permission")?;
    Ok((subject, permission, &question.resource))
}

/// All questions, one after the other: the time of the whole tells the mean without any timer in between.
fn pass(engine: &Engine, questions: &[Prepared<'_>]) {
    let at = Context::at(NOW_MS);
    for (subject, permission, resource) in questions {
        black_box(decide(
            &engine.policy,
            subject,
            black_box(permission),
            Some(*resource),
            &at,
        ));
    }
}

/// Each question by itself, less what an empty measurement takes.
fn timed_pass(engine: &Engine, questions: &[Prepared<'_>], each: &mut Durations) {
    let overhead = timer_overhead();
    let at = Context::at(NOW_MS);
    for (subject, permission, resource) in questions {
        let start = Instant::now();
        black_box(decide(
            &engine.policy,
            subject,
            black_box(permission),
            Some(*resource),
            &at,
        ));
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        each.add_nanos(took.saturating_sub(overhead).max(1));
    }
}

/// The median of empty measurements, taken right before it is used.
fn timer_overhead() -> u64 {
    let mut empty: Vec<u64> = (0..2_001)
        .map(|_| {
            let start = black_box(Instant::now());
            u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    empty.sort_unstable();
    empty.get(empty.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AZ-06
    #[tokio::test]
    async fn casbin_agrees_on_random_questions() {
        let size = Size {
            rules: 1000,
            subjects: 50,
            questions: 100,
        };
        let world = questions::world(size, 7).expect("a world");
        let engine = Engine::compile(world.policy.clone(), world.subjects.clone()).expect("compiled");
        let casbin = Casbin::load(&world).await.expect("loaded");
        for question in &world.questions {
            let permission = &world.permissions[question.permission];
            let ours = engine
                .allows(question.subject, permission, &question.resource)
                .expect("decided");
            let request = casbin_peer::request(&world, question).expect("a request");
            assert_eq!(ours, casbin.allows(request).expect("decided"), "{question:?}");
        }
    }
}
