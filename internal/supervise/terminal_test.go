//go:build linux

package supervise

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two sides of a pseudoterminal: the user's and the program's.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

func TestKeysOfATerminalReachTheCommandOnce(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			user, program := openTerminal(t)
			p := start(t, settings{Grace: time.Millisecond}, perl(`
			$| = 1;
			$SIG{INT} = sub { print "interrupted\n" };
			print -t STDIN && -t STDOUT && -t STDERR ? "terminal\n" : "no terminal\n";
			print "said ", scalar <STDIN>;
			sleep 1 for 1 .. 2;
			exit 7`), place, func(cmd *exec.Cmd) {
				cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
				cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			})
			lines := bufio.NewScanner(user)
			next := func() string {
				lines.Scan()
				return strings.TrimSpace(lines.Text())
			}
			if got := next(); got != "terminal" {
				t.Fatalf("got %q", got)
			}
			fmt.Fprintln(user, "hello")
			if got := next() + next(); got != "hellosaid hello" {
				t.Fatalf("got %q", got)
			}
			fmt.Fprint(user, "\x03")
			if got := next(); got != "^Cinterrupted" {
				t.Errorf("got %q", got)
			}
			// A supervisor that had got the signal as well would have forwarded it, and killed the command after its grace period.
			if got := p.end(); got.code != 7 {
				t.Errorf("got %d", got.code)
			}
			fmt.Fprintln(program, "end")
			if got := next(); got != "end" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestASupervisorInTheBackgroundDoesNotTakeTheTerminal(t *testing.T) {
	_, program := openTerminal(t)
	p := start(t, settings{}, []string{"echo", "done"}, func(cmd *exec.Cmd) {
		cmd.Stdin = program // the terminal is not that of the supervisor's session
	})
	if got := p.end(); got.code != 0 || got.stdout != "done\n" {
		t.Errorf("got %d, %q, %q", got.code, got.stdout, got.stderr)
	}
}
