package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/browser"
	"github.com/testrun-dev/testrun/test/builders"
)

// The tests of pages run by themselves, since the pods of others disturb Chromium: see wasGivenUp.

// startChromium starts a browser for a test.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	chromium, stop, err := browser.Start(context.Background()) // it ends in a cleanup, after the tabs
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return chromium
}

func TestAListOfRunsFollowsARunWithoutAReload(t *testing.T) {
	w := newSerialWorld(t)
	url, chromium := w.forwardServer(), startChromium(t)
	w.Create(builders.TestRun("before").Running(builders.TestSpec("echo 1..1; echo ok 1")).Build())
	w.WaitForPassed("before")
	p := w.newPerson(chromium, url, w.tokenOf("ada", "edit"), true)
	p.opens("/?namespace=" + w.Namespace)
	p.reads(true, "before")
	p.do(chromedp.Evaluate[chromedp.Void](recording))
	w.Create(builders.TestRun("watched").Running(builders.TestSpec("sleep 3; echo 1..1; echo not ok 1 - adds up; exit 1")).Once().Build())
	p.WaitFor("the row of the run says Failed", func() bool { return slices.Contains(p.statesOf("watched"), "Failed") })
	if states := strings.Join(p.statesOf("watched"), ", "); states != "Pending, In progress, Failed" {
		t.Errorf("its row said %s", states)
	}
	p.reads(false, "1 failed")
}

func TestEachPersonSeesTheRunsOfTheirOwnNamespaces(t *testing.T) {
	w := newSerialWorld(t)
	other := newSerialWorld(t)
	url, chromium := w.forwardServer(), startChromium(t)
	for name, in := range map[string]*world{"mine": w, "theirs": other} {
		in.Create(builders.TestRun(name).Running(builders.TestSpec("echo 1..1; echo ok 1")).Build())
	}
	w.WaitForFinished("mine", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	other.WaitForFinished("theirs", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	ada, eve := w.newPerson(chromium, url, w.tokenOf("ada", "edit"), true), other.newPerson(chromium, url, other.tokenOf("eve", "view"), false)
	for p, runs := range map[*person][2]string{ada: {"mine", "theirs"}, eve: {"theirs", "mine"}} {
		p.opens("/")
		p.reads(true, runs[0])
		if text := p.text(); strings.Contains(text, runs[1]) {
			t.Errorf("the list has the run %q of a namespace that they may not see: %s", runs[1], text)
		}
	}
}
