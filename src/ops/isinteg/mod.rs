//! `isinteg`: the tests of what stands on top of a database: stores of Exchange, directories.
//!
//! 1. The database is opened and recognised ([`crate::store::bound`]).
//! 2. Its checks run ([`crate::store::engine`]), and the integrity check with them (`structure`).
//! 3. With a fix, what would put right what was found is tried out on a view of the rows (`rounds`), and only then written
//!    ([`crate::ops::amend`]), with the original put aside behind an undo file. Before the new file takes its place the same
//!    checks must find in it what the view promised.

mod dump;
mod patch;
mod report;
mod rounds;
mod structure;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::db::Database;
use crate::db::catalog::Schema;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbState;
use crate::format::ids::PageSize;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::amend::{AmendOptions, AmendReport, amend, may_amend, take_back};
use crate::ops::export::read_schema;
use crate::ops::identify::refuse_streaming;
use crate::ops::temp_file::scratch_in;
use crate::progress::{Progress, Silent};
use crate::storage::Disk;
use crate::store::bound::Bound;
use crate::store::engine::Resources;
use crate::store::profile::{Profile, embedded};
use crate::store::suite::{Choice, SuiteTest, every_check, suite};
use crate::store::test_list::{ALL_TESTS, STRUCTURE};

use rounds::{Fixing, Outcome, Rounds};

pub use crate::store::dump::DumpedRow;
pub use crate::store::finding::{FindingSeverity, StoreFinding};
pub use crate::store::test_list::StoreSide;
pub use dump::dump_store;
pub use patch::{PatchReport, PatchedColumn, patch_store};
pub use report::{
    IsintegReport, KEPT, Left, Missing, ProfileReport, ProfileState, Refusal, TestResult, Totals,
    UnreadTable,
};

/// Memory for what rows say about one another, in bytes; what does not fit goes to a scratch file.
const MEMORY: usize = 64 << 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct IsintegOptions {
    /// The database.
    pub path: PathBuf,
    /// Take this page size instead of the header's.
    pub page_size: Option<PageSize>,
    /// Names of tests and groups.
    pub tests: Vec<String>,
    /// What the user says that it is.
    pub side: Option<StoreSide>,
    /// Take this profile, whether or not it fits.
    pub profile: Option<Profile>,
    /// Put right what can be.
    pub fix: Option<FixOptions>,
    /// Run the tests too that Isinteg runs only when told so.
    pub detailed: bool,
    /// Folder for scratch files and the new database; `None`: the system's, and beside the database.
    pub temp: Option<PathBuf>,
}

/// How it is put right.
#[derive(Debug, Clone)]
pub struct FixOptions {
    /// Also what rests on inferred facts.
    pub trust_profile: bool,
    /// Tell what would be done, change nothing.
    pub dry_run: bool,
    /// Where the undo file goes; `None`: beside the database, named after it.
    pub undo_file: Option<PathBuf>,
    /// Keep the undo file and the original when all is done.
    pub keep_undo: bool,
    /// The time to write.
    pub now: LogTime,
}

impl FixOptions {
    /// What rests on facts is put right. The undo file and the original are kept.
    #[must_use]
    pub const fn new(now: LogTime) -> Self {
        Self {
            trust_profile: false,
            dry_run: false,
            undo_file: None,
            keep_undo: true,
            now,
        }
    }
}

impl IsintegOptions {
    /// All tests of this database; nothing is changed.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            page_size: None,
            tests: vec![ALL_TESTS.to_owned()],
            side: None,
            profile: None,
            fix: None,
            detailed: false,
            temp: None,
        }
    }

    /// Whether what rests on inferred facts is put right too.
    #[must_use]
    pub fn trusts_profile(&self) -> bool {
        self.fix.as_ref().is_some_and(|fix| fix.trust_profile)
    }
}

/// Tests a store, and puts it right if told to.
///
/// # Errors
/// -1003 for a test that there is not, a profile that cannot be used, or a side that contradicts the database, and what the disk
/// gives. That fixes cannot be written is no error: [`IsintegReport::refusal`] has -550 for a database that was not shut down cleanly,
/// and what [`amend`] gives. In either case the database is as it was.
pub fn isinteg(
    options: &IsintegOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<IsintegReport> {
    let fix = options.fix.as_ref();
    let taken_back = match fix {
        Some(fix) if !fix.dry_run => take_back(&amend_options(options, fix), disk, progress)?,
        _ => Vec::new(),
    };
    let db = open(options, disk)?;
    let job = Job::new(options, &db, progress)?;
    let mut report = job.report();
    report.taken_back = taken_back;
    let structure = job.structure(&mut report);
    let (outcome, millis) = job.rounds()?;
    job.tell(&mut report, &outcome, millis);
    report.left.errors += structure.errors;
    report.left.warnings += structure.warnings;
    let Some(fix) = fix else { return Ok(report) };
    // Who asks for fixes must hear that there can be none, even if there is nothing to fix.
    if outcome.amendments.is_empty() && job.refuse_unclean().is_ok() {
        return Ok(report);
    }
    // That the fixes cannot be written is no reason to keep back what was found.
    match job.write(fix, &outcome, disk) {
        Ok(Some(amended)) => {
            // Damaged indexes have been made anew.
            report.left = outcome.left;
            report.amended = Some(amended);
        }
        Ok(None) => {}
        Err(error) => {
            report.refusal = Some(Refusal::new(&error));
            report.nothing_fixed();
        }
    }
    Ok(report)
}

/// What a database is recognised as, and what of it.
///
/// # Errors
/// When it cannot be opened as a database.
pub fn show_profile(options: &IsintegOptions, disk: &dyn Disk) -> Result<ProfileState> {
    let db = open(options, disk)?;
    let job = Job::new(options, &db, &Silent)?;
    let report = job.report();
    let bound = job.bound.as_ref();
    Ok(ProfileState {
        profile: report.profile,
        about: bound
            .map(|bound| bound.profile.about.clone())
            .unwrap_or_default(),
        side: report.side,
        tables: bound.map(Bound::state).unwrap_or_default(),
        tests: report.tests,
    })
}

fn amend_options(options: &IsintegOptions, fix: &FixOptions) -> AmendOptions {
    AmendOptions {
        path: options.path.clone(),
        temp: options.temp.clone(),
        undo_file: fix.undo_file.clone(),
        keep_undo: fix.keep_undo,
        operation: "isinteg".to_owned(),
        now: fix.now,
    }
}

fn open(options: &IsintegOptions, disk: &dyn Disk) -> Result<Database> {
    let path = &options.path;
    let storage = disk.open(path)?;
    let start = storage
        .read_start(crate::format::dbheader::HeaderCopies::PROBE_BYTES)
        .map_err(|error| Error::io(path, "read", error))?;
    refuse_streaming(path, &start)?;
    Database::from_storage(storage, path, options.page_size)
}

/// One run.
struct Job<'j> {
    options: &'j IsintegOptions,
    db: &'j Database,
    progress: &'j dyn Progress,
    schema: Arc<Schema>,
    bound: Option<Bound>,
    side: Option<StoreSide>,
    suite: Vec<SuiteTest>,
    resources: Resources,
}

impl<'j> Job<'j> {
    fn new(
        options: &'j IsintegOptions,
        db: &'j Database,
        progress: &'j dyn Progress,
    ) -> Result<Self> {
        if let Some(temp) = options.temp.as_deref().filter(|temp| !temp.is_dir()) {
            let what = format!("'{}' is no folder", temp.display());
            return Err(refused(
                &options.path,
                what,
                "-t names a folder for scratch files",
            ));
        }
        let (schema, _) = read_schema(db);
        let schema = Arc::new(schema);
        let bound = recognise(options, db, &schema)?;
        let side = side(options, bound.as_ref())?;
        let choice = Choice {
            detailed: options.detailed,
            side,
        };
        let suite = suite(&options.tests, bound.as_ref(), choice).map_err(|error| {
            refused(
                &options.path,
                error.to_string(),
                "'--list-tests' names them",
            )
        })?;
        let dir = options.temp.clone().unwrap_or_else(std::env::temp_dir);
        let resources = Resources {
            memory: MEMORY,
            scratch: scratch_in(dir),
        };
        Ok(Self {
            options,
            db,
            progress,
            schema,
            bound,
            side,
            suite,
            resources,
        })
    }

    /// Writes the fixes; with a dry run only finds out whether they could be written.
    fn write(
        &self,
        fix: &FixOptions,
        outcome: &Outcome,
        disk: &dyn Disk,
    ) -> Result<Option<AmendReport>> {
        let options = amend_options(self.options, fix);
        self.refuse_unclean()?;
        if outcome.left_of_all.errors > outcome.before_of_all.errors {
            let what = format!(
                "the fixes would leave {} errors where there are {} now, of tests that are not asked for too",
                outcome.left_of_all.errors, outcome.before_of_all.errors
            );
            return Err(Trouble::new(JetError::DATABASE_CORRUPTED, what)
                .of(&self.options.path)
                .advise("run '-test alltests', and see what it finds")
                .into());
        }
        if fix.dry_run {
            may_amend(&options, disk, self.progress)?;
            return Ok(None);
        }
        let wanted = outcome.left_of_all;
        let mut verify = |new: &Database| self.verify(new, wanted);
        let amendments = &outcome.amendments;
        amend(&options, amendments, &mut verify, disk, self.progress).map(Some)
    }

    fn refuse_unclean(&self) -> Result<()> {
        if self.db.header().db_state() == DbState::CleanShutdown {
            return Ok(());
        }
        let what =
            "the database was not shut down cleanly, and what its logs hold may contradict a fix";
        Err(Trouble::new(JetError::DATABASE_DIRTY_SHUTDOWN, what)
            .of(&self.options.path)
            .advise("run 'exutil r' with its logs first; without them 'exutil p', then 'exutil d'")
            .into())
    }

    fn report(&self) -> IsintegReport {
        let tests = self.suite.iter().map(|test| {
            let checks = test.missing.iter().map(|(check, why)| Missing {
                check: check.clone(),
                why: why.clone(),
            });
            let whole = test.unknown.iter().map(|why| Missing {
                check: String::new(),
                why: why.clone(),
            });
            TestResult {
                name: test.name.clone(),
                title: test.title.clone(),
                available: test.is_available(),
                missing: whole.chain(checks).collect(),
                ..TestResult::default()
            }
        });
        let profile = self.bound.as_ref().map(|bound| ProfileReport {
            name: bound.profile.name.clone(),
            title: bound.profile.title.clone(),
        });
        IsintegReport {
            path: self.options.path.clone(),
            bytes: self.db.storage().len().unwrap_or_default(),
            state: self.db.header().db_state(),
            profile,
            side: self.side,
            tests: tests.collect(),
            unread: Vec::new(),
            directory: None,
            left: Left::default(),
            fixing: self.options.fix.is_some(),
            dry_run: self.options.fix.as_ref().is_some_and(|fix| fix.dry_run),
            amended: None,
            refusal: None,
            taken_back: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// The integrity check, if it is asked for.
    fn structure(&self, report: &mut IsintegReport) -> Left {
        let Some(test) = report.tests.iter_mut().find(|test| test.name == STRUCTURE) else {
            return Left::default();
        };
        let started = Instant::now();
        structure::run(self.db, self.progress, test);
        test.millis = millis(started);
        Left {
            errors: test.errors,
            warnings: test.warnings,
        }
    }

    /// The checks that are asked for, and all that can run.
    fn checks(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let asked = self.suite.iter().flat_map(|test| &test.checks).copied();
        let all = self.bound.as_ref().map(every_check).unwrap_or_default();
        (asked.collect(), all)
    }

    fn rounds(&self) -> Result<(Outcome, u64)> {
        let started = Instant::now();
        let Some(bound) = &self.bound else {
            return Ok((Outcome::default(), 0));
        };
        let fixing = match &self.options.fix {
            None => Fixing::No,
            Some(fix) if fix.trust_profile => Fixing::Trusting,
            Some(_) => Fixing::Sure,
        };
        let (checks, all) = self.checks();
        let rounds = Rounds {
            db: self.db,
            schema: &self.schema,
            bound,
            checks: &checks,
            all: &all,
            resources: &self.resources,
            progress: self.progress,
        };
        let outcome = rounds.run(fixing);
        let outcome = outcome.map_err(|error| self.scratch_failed(error))?;
        Ok((outcome, millis(started)))
    }

    /// The new file must be as the view of the rows was.
    fn verify(&self, new: &Database, wanted: Left) -> Result<()> {
        let (schema, _) = read_schema(new);
        let schema = Arc::new(schema);
        let Some(old) = &self.bound else {
            return Ok(());
        };
        let bound = Bound::forced(&old.profile, &schema);
        let (_, all) = self.checks();
        let rounds = Rounds {
            db: new,
            schema: &schema,
            bound: &bound,
            checks: &all,
            all: &all,
            resources: &self.resources,
            progress: self.progress,
        };
        let outcome = rounds.run(Fixing::No);
        let left = outcome.map_err(|error| self.scratch_failed(error))?.left;
        if left == wanted {
            return Ok(());
        }
        let what = format!(
            "the new file would have {} errors and {} warnings where {} and {} were expected",
            left.errors, left.warnings, wanted.errors, wanted.warnings
        );
        Err(Trouble::new(JetError::DATABASE_CORRUPTED, what)
            .of(&self.options.path)
            .advise("the database was left as it is")
            .into())
    }

    fn scratch_failed(&self, error: std::io::Error) -> Error {
        let dir = self.options.temp.clone().unwrap_or_else(std::env::temp_dir);
        Error::io(&dir, "use a scratch file in", error)
    }

    /// Distributes what was found over the tests. One check may belong to several; sums have it once.
    fn tell(&self, report: &mut IsintegReport, outcome: &Outcome, millis: u64) {
        let mut first = Some(millis);
        let mut told = BTreeSet::new();
        for (test, result) in self.suite.iter().zip(&mut report.tests) {
            if test.name == STRUCTURE {
                report.totals.add(result);
                continue;
            }
            if test.checks.is_empty() {
                continue;
            }
            result.millis = first.take().unwrap_or_default();
            result.rows = self.rows_of(test, outcome);
            for check in &test.checks {
                fill(result, outcome, *check);
                told.insert(*check);
            }
        }
        // What fixes have brought about in tests that were not asked for.
        let brought = outcome.findings.keys();
        let brought: Vec<usize> = brought
            .filter(|check| !told.contains(*check))
            .copied()
            .collect();
        for check in &brought {
            report.tests.extend(self.of_other_test(outcome, *check));
        }
        for check in told.iter().chain(&brought) {
            let mut alone = TestResult::default();
            fill(&mut alone, outcome, *check);
            report.totals.add(&alone);
        }
        report.unread = outcome.unread.clone();
        report.directory = outcome.directory;
        report.left = outcome.left;
    }

    fn of_other_test(&self, outcome: &Outcome, check: usize) -> Option<TestResult> {
        let fact = self.bound.as_ref()?.profile.checks.get(check)?;
        let name = fact.tests.first()?;
        let mut result = TestResult {
            name: name.clone(),
            title: format!("{name} (after the fixes)"),
            available: true,
            ..TestResult::default()
        };
        fill(&mut result, outcome, check);
        Some(result)
    }

    /// Rows of the tables that a test looks at.
    fn rows_of(&self, test: &SuiteTest, outcome: &Outcome) -> u64 {
        let Some(bound) = &self.bound else { return 0 };
        let checks = test.checks.iter();
        let roles: BTreeSet<&str> = checks
            .filter_map(|check| bound.profile.checks.get(*check))
            .filter_map(|check| check.rule.table())
            .collect();
        let rows = roles.iter().filter_map(|role| outcome.rows.get(*role));
        rows.sum()
    }
}

/// Adds what a check found to a test.
fn fill(result: &mut TestResult, outcome: &Outcome, check: usize) {
    for finding in outcome.findings.get(&check).into_iter().flatten() {
        result.add(finding.clone());
    }
    if let Some(more) = outcome.not_kept.get(&check) {
        result.errors += more.errors;
        result.warnings += more.warnings;
        result.findings_not_kept += more.errors + more.warnings;
    }
    result.fixes += outcome.fixes.get(&check).copied().unwrap_or_default();
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn refused(path: &Path, what: String, advice: &str) -> Error {
    Trouble::new(JetError::INVALID_PARAMETER, what)
        .of(path)
        .advise(advice)
        .into()
}

fn recognise(
    options: &IsintegOptions,
    db: &Database,
    schema: &Arc<Schema>,
) -> Result<Option<Bound>> {
    if let Some(profile) = &options.profile {
        return Ok(Some(Bound::forced(profile, schema)));
    }
    let profiles = embedded().map_err(|error| {
        refused(
            &options.path,
            error.to_string(),
            "give another with '--profile'",
        )
    })?;
    let update_major = db.header().update_major;
    let mut fitting = profiles
        .iter()
        .filter_map(|profile| Bound::new(profile, schema, update_major));
    Ok(fitting.next())
}

/// Private or public: by the database, else by the user.
fn side(options: &IsintegOptions, bound: Option<&Bound>) -> Result<Option<StoreSide>> {
    let found = bound
        .and_then(|bound| bound.public)
        .map(|public| match public {
            true => StoreSide::Public,
            false => StoreSide::Private,
        });
    if let (Some(said), Some(found)) = (options.side, found)
        && said != found
    {
        let what = format!(
            "this is a {} store, not a {} one",
            found.word(),
            said.word()
        );
        return Err(refused(
            &options.path,
            what,
            "leave out -pri and -pub: it is told by the database",
        ));
    }
    if let (Some(said), None, true) = (options.side, found, options.profile.is_none()) {
        let what = format!("this is no {} store", said.word());
        return Err(refused(&options.path, what, "leave out -pri and -pub"));
    }
    Ok(found.or(options.side))
}
