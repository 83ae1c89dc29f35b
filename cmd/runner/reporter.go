//go:build linux

package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// reporter takes a report to where it is read. The last of several counts.
type reporter interface {
	report(*results.Report) error
}

// maxReport is how much of a container's termination message a kubelet keeps, in bytes.
const maxReport = 4096

// terminationMessage is the file whose content a kubelet puts into the status of the pod when the container has ended.
type terminationMessage struct{ path string }

// report replaces the file's content. The file is a mount, so it can be no other file; it is written before what is left of
// a longer one is cut off, so that a runner that is killed in between leaves a report.
func (m terminationMessage) report(report *results.Report) error {
	file, err := os.OpenFile(m.path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("the results cannot be reported: %w", err)
	}
	defer file.Close()
	encoded := report.Encode(maxReport)
	if _, err := file.WriteAt(encoded, 0); err != nil {
		return fmt.Errorf("the results cannot be reported: %w", err)
	}
	return file.Truncate(int64(len(encoded)))
}

// reportEvery is how often a test that runs is reported, for the case that the runner is killed.
const reportEvery = time.Second

// reporting reports now and then while the test runs, and once more when it has ended.
type reporting struct {
	to      reporter
	collect func() *results.Report

	mu    sync.Mutex
	timer *time.Timer
	ended bool
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
		_ = r.to.report(report) // the last report says what is wrong
	}
}

// end makes the last report.
func (r *reporting) end(report *results.Report) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
	return r.to.report(report)
}
