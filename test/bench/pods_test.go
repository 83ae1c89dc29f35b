package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestATestSaysWhenItBeganAndWhatItsParentTakes(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("there is no perl here")
	}
	begin := time.Now()
	command := realPod("r", false, begin.Add(-time.Minute)).Spec.Containers[0].Command
	log, err := exec.CommandContext(t.Context(), command[0], command[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lastLines := string(log[max(0, len(log)-100):])
	after, err := startIn(lastLines)
	if took := time.Since(begin); err != nil || after < time.Minute || after > time.Minute+took {
		t.Errorf("asked for a minute ago, and over after another %s, it began after %s, %v", took, after, err)
	}
	if got, err := memoryIn(lastLines, "VmHWM"); err != nil || got < 1 {
		t.Errorf("this process takes %v MiB, %v", got, err)
	}
	if _, err := startIn("ok 1\nbegan after noon\n"); err == nil {
		t.Error("a log without a time is taken for one")
	}
}

func TestTheRunnerIsJudgedByWhatItAddsToTheSamePod(t *testing.T) {
	round := podRound{
		ImageVolume: podStarts{
			BareJobs:  quantiles{P50: 900},
			NoVolume:  runStarts{WithoutRunner: quantiles{P50: 300}, WithRunner: quantiles{P50: 500}},
			Token:     runStarts{WithoutRunner: quantiles{P50: 600}, WithRunner: quantiles{P50: 640}},
			RunnerMiB: 8,
		},
		InitContainer: podStarts{RunnerMiB: 9},
	}
	targets := judgePods([]podRound{round, round, round})
	for i, want := range []struct {
		measured float64
		verdict  verdict
	}{{200, missed}, {40, met}, {9, met}} {
		if got := targets[i]; got.Sample.Median != want.measured || got.Verdict != want.verdict {
			t.Errorf("%s: %v, %s, want %v, %s", got.What, got.Sample.Median, got.Verdict, want.measured, want.verdict)
		}
	}
	if got := round.ImageVolume.runAdds(); got != -300 {
		t.Errorf("a run adds %v ms to a bare Job with the same volume, want -300", got)
	}
}
