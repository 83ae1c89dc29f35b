package pages

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// The UIDs of runs that are not like the others.
const (
	Retried = "0dd00000-0000-4000-8000-000000000001" // passed at its second attempt
	Holed   = "0dd00000-0000-4000-8000-000000000002" // parts of its output and one of its artifacts are missing
	Long    = "0dd00000-0000-4000-8000-000000000003" // has printed LongLines lines
	Running = "00000000-0000-4000-8000-000000000003" // is in progress
	Waiting = "00000000-0000-4000-8000-000000000004" // waits in a queue
)

// LongLines is how many lines the run Long has printed.
const LongLines = 20_000

// fillOdd keeps runs that are not like the others.
func (s *Site) fillOdd(ctx context.Context, now time.Time) error {
	created := now.Add(-15 * 24 * time.Hour)
	for i, uid := range []string{Retried, Holed, Long} {
		run := archive.Run{
			UID: uid, Namespace: "shop", Name: "odd-" + []string{"retried", "holed", "long"}[i], Series: "odd", Phase: "Finished", Verdict: "Failed", Reason: "TestFailed",
			Message: "1 of 3 cases failed: compares prices", ResourceVersion: fmt.Sprint(8000 + i),
			Created: created, Started: created.Add(20 * time.Second), Finished: created.Add(3 * time.Minute),
		}
		attempts := []archive.Attempt{{
			UID: uid, Number: 1, Job: run.Name + "-1", Pod: run.Name + "-1-abcde", Node: "node-c", Verdict: "Failed", Reason: "TestFailed",
			Created: created.Add(12 * time.Second), Started: run.Started, Finished: created.Add(80 * time.Second),
		}}
		if uid == Retried {
			run.Verdict, run.Reason, run.Flaky, run.Message = "Passed", "TestPassed", true, ""
			attempts = append(attempts, archive.Attempt{
				UID: uid, Number: 2, Job: run.Name + "-2", Pod: run.Name + "-2-fghij", Node: "node-a", Verdict: "Passed",
				Created: created.Add(90 * time.Second), Started: created.Add(95 * time.Second), Finished: run.Finished,
			})
		}
		if err := s.Keep(ctx, archive.RunState{Run: run, Attempts: attempts, Object: ObjectOf(run)}); err != nil {
			return err
		}
		if err := s.fillOddRun(ctx, run, len(attempts)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) fillOddRun(ctx context.Context, run archive.Run, attempts int) error {
	for number := range attempts {
		owner := OwnerOf(run)
		owner.Attempt = int32(number + 1) //nolint:gosec // one or two
		wrong := push.Case{
			Suite: "prices.t", Name: "compares prices", Outcome: results.Failed, Location: "prices.t line 12", Microseconds: 812_000,
			Message: "Failed test 'compares prices'\n" + strings.Repeat("     got: '17.99' where 18.00 was expected\n", 20),
		}
		if number > 0 {
			wrong.Outcome, wrong.Message, wrong.Location = results.Passed, "", ""
		}
		cases := []push.Case{{Suite: "prices.t", Name: "reads prices", Outcome: results.Passed}, wrong, {Suite: "prices.t", Name: "writes prices", Outcome: results.Skipped}}
		if err := s.KeepCases(ctx, owner, cases...); err != nil {
			return err
		}
		if err := s.fillOddOutput(ctx, owner, number); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) fillOddOutput(ctx context.Context, owner archive.Owner, number int) error {
	output, text := push.Stream{Kind: push.Output}, fmt.Sprintf("attempt %d\n\x1b[32mok 1 - reads prices\x1b[0m\n\x1b[1;31mnot ok 2 - compares prices\x1b[0m\n", number+1)
	switch owner.UID {
	case Holed:
		rest := "# the last of it\n1..3\n"
		if err := s.keepPart(ctx, owner, output, 0, text); err != nil {
			return err
		}
		if err := s.keepPart(ctx, owner, output, int64(len(text)+4096), rest); err != nil {
			return err
		}
		file := push.Stream{Kind: push.Artifact, Path: "shots/basket <1>.png"}
		if err := s.keepPart(ctx, owner, file, 0, "half of a picture"); err != nil {
			return err
		}
		_, err := s.Store.SetEnd(ctx, owner, push.End{Missing: []string{"video.webm is larger than 64 MiB"}, Streams: []push.StreamEnd{
			{Kind: push.Output, Length: int64(len(text) + 4096 + len(rest)), SHA256: sha256Of(""), Gaps: []push.Gap{{Offset: int64(len(text)), Length: 4096}}},
			{Kind: push.Artifact, Path: file.Path, Length: 40_000, SHA256: sha256Of("")},
		}})
		return err
	case Long:
		return s.KeepStream(ctx, owner, output, LongText(LongLines))
	}
	return s.KeepStream(ctx, owner, output, text)
}

// LongText is the output of a test that prints so many lines. One in the middle says what failed.
func LongText(lines int) string {
	var text strings.Builder
	for i := range lines {
		if i == lines/2 {
			text.WriteString("\x1b[1;31mnot ok 2 - compares prices\x1b[0m\n")
			continue
		}
		fmt.Fprintf(&text, "\x1b[90m10:%02d:%02d\x1b[0m request %d answered in %d ms with the status 200 and nothing to say about it\n", i/60%60, i%60, i+1, i%97)
	}
	return text.String()
}
