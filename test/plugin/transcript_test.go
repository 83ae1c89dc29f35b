package plugin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// page is the page whose transcripts are made by running their commands.
var page = filepath.Join("..", "..", "docs", "kubectl-testrun.md")

// A transcript is a block that begins with a line "```console". Each of its lines that begins with "$ " is a command, and what follows is what it
// prints. A comment <!-- first: DO NAME --> above a block says what happens before it.
var happens = regexp.MustCompile(`^<!-- first: (\S+) ?(\S*) -->$`)

func TestTheTranscriptsArePrintedByTheirCommands(t *testing.T) {
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	after := newTranscriber(t).page(string(before))
	if *write {
		if err := os.WriteFile(page, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, now := strings.Split(string(before), "\n"), strings.Split(after, "\n")
	for i := range min(len(old), len(now)) {
		if old[i] != now[i] {
			t.Fatalf("docs/kubectl-testrun.md:%d says\n%s\nand the plugin prints\n%s\nmake transcripts writes it anew", i+1, old[i], now[i])
		}
	}
	if len(old) != len(now) {
		t.Errorf("docs/kubectl-testrun.md has %d lines, and the plugin prints %d: make transcripts writes it anew", len(old), len(now))
	}
}

// transcriber types the commands of a page.
type transcriber struct {
	*person
	code int
}

func newTranscriber(t *testing.T) *transcriber {
	t.Helper()
	w := withOperator(t)
	w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1})
	ada := w.person("ada", "testrun-starter", "testrun-queue-editor*").withArchive()
	return &transcriber{person: ada}
}

// page is the page with what the commands of its transcripts print now.
func (r *transcriber) page(text string) string {
	r.T.Helper()
	var out []string
	inside := false
	for _, line := range strings.Split(text, "\n") {
		if match := happens.FindStringSubmatch(line); match != nil {
			r.first(match[1], match[2])
		}
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !inside:
			inside = line == "```console"
			out = append(out, line)
		case line == "```":
			inside = false
			out = append(out, line)
		case isCommand:
			out = append(out, line)
			if printed := strings.TrimRight(r.runs(command), "\n"); printed != "" {
				out = append(out, strings.Split(printed, "\n")...)
			}
		}
	}
	return strings.Join(out, "\n")
}

// first has something happen before a transcript.
func (r *transcriber) first(do, name string) {
	r.T.Helper()
	switch do {
	case "archived":
		r.waitForArchived(name)
	case "deleted":
		r.delete(name)
	case "running":
		r.WaitForInProgress(name)
	case "waiting":
		r.WaitForPending(name, v1alpha1.ReasonQueued)
	case "paused":
		r.WaitForPending(name, v1alpha1.ReasonQueueSuspended)
	case "counted":
		r.WaitFor("the queue says who runs and waits", func() bool {
			queue := &v1alpha1.TestQueue{}
			r.Must(r.Client.Get(r.Ctx, client.ObjectKey{Name: r.Namespace}, queue))
			return queue.Status.Running != nil && *queue.Status.Running == 1 && *queue.Status.Pending == 1
		})
	case "finished":
		r.WaitForRun(name, "Finished", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
	default:
		r.T.Fatalf("nobody knows what %q means", do)
	}
}

// shown are the names of the page.
const (
	namespaceShown = "shop"
	archiveShown   = "https://testrun.example.com"
)

func (r *transcriber) runs(command string) string {
	r.T.Helper()
	if command == "echo $?" {
		return fmt.Sprint(r.code)
	}
	words, isOurs := strings.CutPrefix(command, "kubectl testrun ")
	if !isOurs {
		r.T.Fatalf("the page has the command %q, and only those of kubectl testrun can be run", command)
	}
	args := strings.Fields(strings.ReplaceAll(words, "="+namespaceShown, "="+r.Namespace))
	for i := range args {
		if args[i] == namespaceShown { // the queue has the name of the namespace
			args[i] = r.Namespace
		}
	}
	cmd := r.command(r.Ctx, args...)
	cmd.Args[0] = "kubectl-testrun"
	printed, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		r.T.Fatal(err)
	}
	r.code = cmd.ProcessState.ExitCode()
	return r.stable(string(printed))
}

var (
	generated = regexp.MustCompile(`\b((?:[a-z]+|[a-z]+-1)-)[bcdfghjklmnpqrstvwxz2456789]{5}\b`)
	took      = regexp.MustCompile(`\b(\d+s|\d+m\d+s|\d+m)\b( *)`)
	// onTheWay says how far a run was at one moment. How many there are depends on how fast the machine is.
	onTheWay = regexp.MustCompile(`(?m)^\S+: (Pending|InProgress).*\n`)
	clock    = regexp.MustCompile(`\d\d:\d\d:\d\d`)
)

// stable is what is the same each time.
func (r *transcriber) stable(text string) string {
	text = strings.ReplaceAll(text, site.Server.URL, archiveShown)
	inColumn := strings.Repeat(" ", len(r.Namespace)-len(namespaceShown)+3)
	text = strings.ReplaceAll(text, r.Namespace+"   ", namespaceShown+inColumn)
	text = strings.ReplaceAll(text, r.Namespace, namespaceShown)
	text = generated.ReplaceAllString(text, "${1}x7k2p")
	text = clock.ReplaceAllString(text, "10:00:00")
	text = onTheWay.ReplaceAllString(text, "")
	return took.ReplaceAllStringFunc(text, func(found string) string {
		match := took.FindStringSubmatch(found)
		if match[2] == "" || match[2] == " " {
			return "3s" + match[2]
		}
		return "3s" + strings.Repeat(" ", len(match[1])+len(match[2])-2)
	})
}
