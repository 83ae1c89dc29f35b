//go:build linux

package program

import (
	"syscall"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/folder"
	"github.com/testrun-dev/testrun/internal/runner/pusher"
)

// tokenFile is where the token is. A test has its own.
var tokenFile = push.TokenFile

// archive is the second reporter: it pushes all that a test says to the server that keeps it. Nothing of the test depends on it: neither its
// streams nor its exit code nor its report. It is nil where there is no server.
type archive struct {
	// pusher is nil if it cannot push at all, and wrong says why.
	pusher *pusher.Pusher
	wrong  error
	grace  time.Duration
}

// openArchive makes the folder for artifacts, and begins to push.
func openArchive(opts runner.Options) *archive {
	if opts.Archive == "" {
		return nil
	}
	a := &archive{grace: opts.Grace}
	o := pusher.Options{Connected: forget, URL: opts.Archive, Pins: opts.ArchivePins, TokenFile: tokenFile}
	if id := opts.Identity; id != (runner.Identity{}) {
		o.Attempt = push.Attempt{Namespace: id.Namespace, Name: id.Name, UID: id.UID, Number: id.Attempt}
		o.Artifacts = id.ArtifactsDir()
		o.ArtifactsError = folder.Make(o.Artifacts)
	}
	a.pusher, a.wrong = pusher.New(o)
	return a
}

// tee is called with what the test prints, in the order in which it is written, and passes it on.
func (a *archive) tee(to func([]byte)) func([]byte) {
	switch {
	case a == nil || a.pusher == nil:
		return to
	case to == nil:
		return a.pusher.Output
	default:
		return func(output []byte) { to(output); a.pusher.Output(output) }
	}
}

// sink returns a sink for the cases of a format, which counts them in sum and pushes them.
func (a *archive) sink(format pusher.Format, sum *results.Summary) results.Sink {
	if a == nil || a.pusher == nil {
		return sum
	}
	return a.pusher.Sink(format, sum)
}

// stopped says that the test has been told to stop: the kubelet will soon kill the runner. It gives the test the grace period, and the runner
// a little more, of which the archive takes up to a half.
func (a *archive) stopped() {
	if a != nil && a.pusher != nil {
		a.pusher.StopBy(time.Now().Add(a.grace + min(a.grace/3, 2*time.Second)/2))
	}
}

func (a *archive) onLateStop() func(syscall.Signal) {
	if a == nil {
		return nil
	}
	return func(syscall.Signal) { a.stopped() }
}

// end makes the last report, and then pushes what is left. The report comes first: the runner may be killed while it pushes. If the server
// has not got all, the report says so.
func (a *archive) end(reports *reporting, report *results.Report) error {
	if a == nil {
		return reports.end(report)
	}
	if a.pusher == nil {
		report.Archive = &results.Archive{Error: a.wrong.Error()}
		return reports.end(report)
	}
	report.Archive = a.pusher.Sums(report.Format)
	report.Archive.Ended = time.Now()
	failed := reports.end(report)
	if err := a.pusher.Finish(); err != nil {
		report.Archive.Error = err.Error()
		_ = reports.end(report) // the report before it says all that counts
	}
	return failed
}
