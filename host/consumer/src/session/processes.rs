//! The processes of `-c` and `-p`: when all have ended, so does the session.

use std::{fs, os::unix::process::ExitStatusExt as _, process::Child};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A process that cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to grab pid {pid}: {}", .errno.desc())]
pub struct GrabError {
    /// Its number.
    pub pid: i64,
    /// Why.
    pub errno: Errno,
}

/// A process that somebody else started.
#[derive(Debug)]
struct Grabbed {
    pid: Pid,
    /// When it started, so that another process with its number is not taken for it.
    started: Option<u64>,
}

/// Commands and grabbed processes.
#[derive(Debug, Default)]
pub struct Processes {
    children: Vec<Child>,
    grabbed: Vec<Grabbed>,
    /// The first that was added.
    target: Option<u32>,
}

impl Processes {
    /// Watches a command, which has stopped itself before its first instruction.
    pub fn add_command(&mut self, child: Child) {
        self.target.get_or_insert(child.id());
        self.children.push(child);
    }

    /// Watches a process.
    ///
    /// # Errors
    /// [`GrabError`] if there is none of that number, or it is not ours to trace.
    pub fn grab(&mut self, number: i64) -> Result<(), GrabError> {
        let failed = |errno| GrabError { pid: number, errno };
        // To kill(2), what is not positive is a group.
        let pid = i32::try_from(number).ok().filter(|pid| *pid > 0);
        let pid = Pid::from_raw(pid.ok_or(failed(Errno::ESRCH))?);
        kill(pid, None).map_err(failed)?;
        self.grabbed.push(Grabbed { pid, started: start_time(pid) });
        self.target = self.target.or(u32::try_from(pid.as_raw()).ok());
        Ok(())
    }

    /// The number of the first, for `$target`.
    #[must_use]
    pub const fn target(&self) -> Option<u32> {
        self.target
    }

    /// The numbers of the commands that have not ended.
    pub fn commands(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(Child::id)
    }

    /// Lets the commands go on.
    pub(super) fn resume(&self) {
        for child in &self.children {
            if let Ok(pid) = i32::try_from(child.id()) {
                // If it is gone already, the loop will see that.
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
    }

    /// Forgets those that have ended and says so of each.
    pub(super) fn ended(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        self.children.retain_mut(|child| {
            let pid = child.id();
            said.push(match child.try_wait() {
                Ok(None) => return true,
                Ok(Some(status)) => match (status.signal(), status.code()) {
                    (Some(signal), _) => format!("pid {pid} terminated by {signal}"),
                    (None, Some(status)) if status != 0 => {
                        format!("pid {pid} exited with status {status}")
                    }
                    _ => format!("pid {pid} has exited"),
                },
                Err(_) => format!("pid {pid} has exited"),
            });
            false
        });
        self.grabbed.retain(|process| {
            let lives = process.lives();
            if !lives {
                said.push(format!("pid {} has exited", process.pid));
            }
            lives
        });
        said
    }

    /// Whether there were some and all have ended.
    pub(super) const fn over(&self) -> bool {
        self.target.is_some() && self.children.is_empty() && self.grabbed.is_empty()
    }
}

impl Drop for Processes {
    /// Commands end with the session that they were started for, as dtrace(1)'s do: also if it
    /// never began, when they have executed nothing of their own.
    fn drop(&mut self) {
        for child in &mut self.children {
            // If it is gone already, so much the better.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Grabbed {
    fn lives(&self) -> bool {
        match self.started {
            Some(_) => start_time(self.pid) == self.started,
            None => kill(self.pid, None) != Err(Errno::ESRCH),
        }
    }
}

/// When a process started, in the kernel's ticks; `None` if it has ended, or there is no procfs.
fn start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; the state follows it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a command came to is said once, and then there is nothing to wait for.
    #[test]
    fn a_commands_end_is_reported() {
        let mut all = Processes::default();
        assert!(!all.over());
        all.add_command(Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap());
        let pid = all.target().unwrap();
        let mut said = Vec::new();
        while said.is_empty() {
            said = all.ended();
            std::thread::yield_now();
        }
        assert_eq!(said, [format!("pid {pid} exited with status 3")]);
        assert!(all.over() && all.ended().is_empty());
    }

    /// Without a session a command ends before it has done anything.
    #[test]
    fn a_command_that_was_not_traced_does_not_run() {
        let mut all = Processes::default();
        let child =
            Command::new("sh").args(["-c", "kill -STOP $$; echo ran; exec sleep 60"]).spawn();
        all.add_command(child.unwrap());
        let pid = Pid::from_raw(i32::try_from(all.target().unwrap()).unwrap());
        drop(all);
        assert_eq!(kill(pid, None), Err(Errno::ESRCH));
    }

    /// Nor does one outlive a session that is over.
    #[test]
    fn a_command_ends_with_the_session() {
        let mut all = Processes::default();
        all.add_command(Command::new("sleep").arg("60").spawn().unwrap());
        let pid = Pid::from_raw(i32::try_from(all.target().unwrap()).unwrap());
        all.resume();
        drop(all);
        assert_eq!(kill(pid, None), Err(Errno::ESRCH));
    }

    /// `$target` is whichever process came first.
    #[test]
    fn the_first_process_is_the_target() {
        let command = || Command::new("sleep").arg("60").spawn().unwrap();
        let mut child = command();
        let mut all = Processes::default();
        all.grab(child.id().into()).unwrap();
        all.add_command(command());
        assert_eq!(all.target(), Some(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A grabbed process is watched until it is gone; a number nobody has is refused.
    #[test]
    fn grabbed_processes_are_watched() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut all = Processes::default();
        all.grab(child.id().into()).unwrap();
        assert_eq!((all.ended().len(), all.over()), (0, false));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(all.ended(), [format!("pid {} has exited", child.id())]);
        assert!(all.over());
        for nobody in [u32::MAX.into(), -1, 0] {
            let none = Processes::default().grab(nobody).unwrap_err();
            assert_eq!(none.to_string(), format!("failed to grab pid {nobody}: No such process"));
        }
    }
}
