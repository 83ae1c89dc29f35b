package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// madeUp is a series of made-up runs.
type madeUp struct {
	namespace, test string
	cases           []string // SUITE: NAME
	every           time.Duration
	runs            int
	// spread is after how many runs, counted back from now, twice as much time lies between two of them; 0 if it is always the same.
	spread int
}

var series = []madeUp{
	{"shop", "checkout", []string{
		"t/basket.t: adds an article", "t/basket.t: counts articles", "t/basket.t: removes the last article", "t/discount.t: ten percent for members",
		"t/discount.t: two coupons add up", "t/discount.t: an expired coupon is refused", "t/payment.t: a card is charged once",
		"t/payment.t: a declined card leaves the basket as it was", "t/payment.t: the receipt has the VAT of the country", "t/shipping.t: free above 50",
	}, 40 * time.Minute, 60, 6},
	{"shop", "search", []string{"search.feature: finds what was typed", "search.feature: forgives a typo", "search.feature: ranks what is in stock first"}, 3 * time.Hour, 110, 0},
	{"payments", "ledger", []string{"ledger_test.go: TestBalance", "ledger_test.go: TestTransfer", "ledger_test.go: TestRounding"}, 2 * time.Hour, 40, 0},
}

// ago is how long before now the nth run was created.
func (m madeUp) ago(n int) time.Duration {
	back := m.runs - n
	if m.spread > 0 {
		back = back * (m.spread + back - 1) / m.spread
	}
	return m.every * time.Duration(back)
}

// Fill keeps some weeks of made-up runs that end at now: passed, failed, flaky, in progress and pending ones. They are the same each time.
func (s *Site) Fill(ctx context.Context, now time.Time) error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // it is to be the same
	for _, m := range series {
		for n := range m.runs {
			if err := s.fillRun(ctx, random, m, n, now.Add(-m.ago(n))); err != nil {
				return err
			}
		}
	}
	if err := s.fillOdd(ctx, now); err != nil {
		return err
	}
	return s.fillLive(ctx, now)
}

func (s *Site) fillRun(ctx context.Context, random *rand.Rand, m madeUp, n int, created time.Time) error {
	started := created.Add(time.Duration(2+random.IntN(20)) * time.Second)
	finished := started.Add(time.Duration(40+random.IntN(50)) * time.Second)
	run := archive.Run{
		UID: UIDOf(m.test, n), Namespace: m.namespace, Name: fmt.Sprintf("%s-%05d", m.test, 17000+n*7), Test: m.test, Series: m.test, Queue: "default",
		Labels: map[string]string{"branch": []string{"main", "main", "release"}[n%3], "commit": fmt.Sprintf("%07x", 0xabc123+n*7919)},
		Phase:  "Finished", Verdict: "Passed", Reason: "TestPassed", ResourceVersion: fmt.Sprint(1000 + n),
		Created: created, Started: started, Finished: finished, Counts: archive.Counts{Passed: int64(len(m.cases))},
	}
	cases, output := s.casesOf(random, m, n, &run)
	attempt := archive.Attempt{
		UID: run.UID, Number: 1, Job: run.Name + "-1", Pod: run.Name + "-1-x7k2p", Node: "node-b", Verdict: run.Verdict, Reason: run.Reason,
		Created: created.Add(time.Second), Started: started, Finished: finished, Counts: run.Counts,
	}
	code := int32(0)
	if run.Verdict == "Failed" {
		code = 1
	}
	attempt.ExitCode = &code
	if err := s.Keep(ctx, archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}, Object: ObjectOf(run)}); err != nil {
		return err
	}
	owner := OwnerOf(run)
	if err := s.KeepCases(ctx, owner, cases...); err != nil {
		return err
	}
	if n%5 == 0 {
		report := push.Stream{Kind: push.Artifact, Path: "report/index.html"}
		if err := s.KeepStream(ctx, owner, report, "<!doctype html><title>Report</title><p>all of it"); err != nil {
			return err
		}
	}
	return s.KeepStream(ctx, owner, push.Stream{Kind: push.Output}, output)
}

// casesOf are the cases of a run and what it printed. Some fail now and then, one since the last three runs.
func (s *Site) casesOf(random *rand.Rand, m madeUp, n int, run *archive.Run) (cases []push.Case, output string) {
	var text strings.Builder
	fmt.Fprintf(&text, "\x1b[1mprove -v t/\x1b[0m  (%s, commit %s)\n", m.test, run.Labels["commit"])
	for i, name := range m.cases {
		suite, title, _ := strings.Cut(name, ": ")
		c := push.Case{Suite: suite, Name: title, Outcome: results.Passed, Microseconds: int64(20_000 + random.IntN(900_000)*(i+1)/len(m.cases))}
		switch {
		case m.test == "checkout" && i == 4 && n >= m.runs-3, random.IntN(60) == 0:
			c.Outcome, c.Location = results.Failed, suite+" line 48"
			c.Message = fmt.Sprintf("Failed test '%s'\n     got: '%d.00'\nexpected: '%d.00'", title, 80+random.IntN(9), 75)
			run.Counts.Passed, run.Counts.Failed = run.Counts.Passed-1, run.Counts.Failed+1
			fmt.Fprintf(&text, "\x1b[31mnot ok %d - %s\x1b[0m\n#   %s\n", i+1, title, strings.ReplaceAll(c.Message, "\n", "\n#   "))
		case m.test == "search" && i == 1 && random.IntN(4) == 0:
			c.Flaky, c.Message = true, "timed out after 5 s at first"
			run.Counts.Flaky++
			fallthrough
		default:
			fmt.Fprintf(&text, "ok %d - %s\n", i+1, title)
		}
		cases = append(cases, c)
	}
	if run.Counts.Failed > 0 {
		run.Verdict, run.Reason = "Failed", "TestFailed"
		run.Message = fmt.Sprintf("%d of %d cases failed: %s", run.Counts.Failed, len(m.cases), failedName(cases))
	}
	fmt.Fprintf(&text, "1..%d\n", len(cases))
	return cases, text.String()
}

func failedName(cases []push.Case) string {
	for _, c := range cases {
		if c.Outcome == results.Failed {
			return c.Name
		}
	}
	return ""
}

// fillLive keeps runs that are under way, or ended in another way.
func (s *Site) fillLive(ctx context.Context, now time.Time) error {
	for i, run := range []archive.Run{
		{Name: "import-9x2", Namespace: "shop", Series: "import", Phase: "Finished", Verdict: "Error", Reason: "ImagePullFailed", Message: "The image registry.example/import:2.1 cannot be pulled: not found"},
		{Name: "import-b81", Namespace: "shop", Series: "import", Phase: "Finished", Verdict: "TimedOut", Reason: "RunTimeout", Message: "The test was stopped after 10m0s (timeouts.run)", Started: now.Add(-50 * time.Minute)},
		{Name: "search-manual", Namespace: "shop", Test: "search", Series: "search", Phase: "Finished", Verdict: "Cancelled", Reason: "Cancelled", Message: "spec.cancel was set", Started: now.Add(-30 * time.Minute)},
		{Name: "checkout-18431", Namespace: "shop", Test: "checkout", Series: "checkout", Phase: "InProgress", Reason: "Running", Started: now.Add(-34 * time.Second)},
		{Name: "ledger-20004", Namespace: "payments", Test: "ledger", Series: "ledger", Phase: "Pending", Reason: "Queued", Message: "Waits in queue default: 4 of 4 runs run (maxRunning)"},
		{Name: "ledger-20005", Namespace: "payments", Test: "ledger", Series: "ledger", Phase: "Pending", Reason: "Queued", Message: "Waits in queue default: 4 of 4 runs run (maxRunning)"},
		{Name: "soak-3", Namespace: "shop", Series: "soak", Queue: "nightly", Phase: "Pending", Reason: "QueueSuspended", Message: "TestQueue nightly is suspended: no run of it starts until spec.suspend is taken back"},
	} {
		run.UID, run.ResourceVersion = fmt.Sprintf("00000000-0000-4000-8000-%012d", i), fmt.Sprint(9000+i)
		run.Created = now.Add(-time.Hour).Add(time.Duration(i) * 10 * time.Minute)
		if run.Queue == "" {
			run.Queue = "default"
		}
		state := archive.RunState{Run: run}
		if !run.Started.IsZero() {
			if run.Phase == "Finished" {
				state.Run.Finished = run.Started.Add(10 * time.Minute)
			} else {
				state.Run.Created = run.Started.Add(-4 * time.Second)
			}
			state.Attempts = []archive.Attempt{{
				UID: run.UID, Number: 1, Job: run.Name + "-1", Pod: run.Name + "-1-q9z4v", Node: "node-a", Verdict: run.Verdict, Reason: run.Reason,
				Created: state.Run.Created, Started: run.Started, Finished: state.Run.Finished,
			}}
		}
		state.Object = ObjectOf(state.Run)
		if err := s.Keep(ctx, state); err != nil {
			return err
		}
		if run.Phase == "InProgress" {
			progress := archive.AttemptProgress{Owner: OwnerOf(state.Run), Progress: push.Progress{Done: 6, Failed: 1, Total: 10}}
			if err := s.Store.SetProgress(ctx, []archive.AttemptProgress{progress}); err != nil {
				return err
			}
		}
	}
	return nil
}

// ObjectOf is the TestRun, as it is kept.
func ObjectOf(run archive.Run) []byte {
	text, err := json.Marshal(map[string]any{
		"apiVersion": "testrun.dev/v1alpha1", "kind": "TestRun",
		"metadata": map[string]any{"name": run.Name, "namespace": run.Namespace, "uid": run.UID, "labels": run.Labels},
		"spec":     map[string]any{"testRef": map[string]any{"name": run.Test}, "params": map[string]any{"BROWSER": "firefox"}},
		"status":   map[string]any{"phase": run.Phase, "verdict": run.Verdict},
	})
	if err != nil {
		panic(err) // it is made of text
	}
	return pack(string(text))
}
