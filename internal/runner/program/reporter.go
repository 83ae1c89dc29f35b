//go:build linux

package program

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testrun-dev/testrun/internal/results"
)

// reporter writes a report to where it is read. The last report counts.
type reporter interface {
	report(*results.Report) error
}

// maxReport is how much of a container's termination message a kubelet keeps, in bytes.
const maxReport = 4096

// terminationMessage is a file. The kubelet copies its content into the pod's status when the container has ended.
type terminationMessage struct {
	file *os.File
	// err says why the file could not be opened.
	err error
}

// openTerminationMessage opens the file before the test can replace it. It also reserves room for a report, in case another
// process fills the disk.
func openTerminationMessage(path string) terminationMessage {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	m := terminationMessage{file, err}
	if err == nil {
		m.reserve()
	}
	return m
}

// reserve does not change the file's content. Not every file system can do it.
func (m terminationMessage) reserve() {
	_ = unix.Fallocate(int(m.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, maxReport)
}

// report replaces the file's content. It writes first and cuts off the rest of a longer report afterwards, so that a runner that
// is killed in between still leaves a report.
func (m terminationMessage) report(report *results.Report) error {
	err := m.err
	if err == nil {
		encoded := report.Encode(maxReport)
		_, err = m.file.WriteAt(encoded, 0)
		if err == nil {
			err = m.file.Truncate(int64(len(encoded)))
			m.reserve()
		}
	}
	if err != nil {
		return fmt.Errorf("the results cannot be reported: %w", err)
	}
	return nil
}

// reportEvery is how often there is a report while the test runs, in case the runner is killed.
const reportEvery = time.Second

// reporting writes reports from time to time while the test runs, and the last one when it has ended.
type reporting struct {
	to      reporter
	collect func() *results.Report

	mu    sync.Mutex
	timer *time.Timer
	ended bool
	// signal names the one that told the test to stop; empty if none did.
	signal string
}

// changed says that there may be something new to report.
func (r *reporting) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil && !r.ended {
		r.timer = time.AfterFunc(reportEvery, r.now)
	}
}

func (r *reporting) now() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = nil
	if r.ended {
		return
	}
	if report := r.collect(); report.Format != "" {
		r.report(report)
	}
}

// stopped says that the test has been told to stop. It is reported at once: the runner may be killed soon.
func (r *reporting) stopped(signal string) {
	report := r.collect()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signal = signal
	r.report(report)
}

// report makes a report that is not the last one. Its error does not matter: the last report will fail in the same way.
func (r *reporting) report(report *results.Report) {
	report.Stopped = r.signal
	_ = r.to.report(report)
}

// end makes the last report.
func (r *reporting) end(report *results.Report) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
	report.Final, report.Stopped = true, r.signal
	return r.to.report(report)
}
