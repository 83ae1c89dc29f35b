package web

import (
	"fmt"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

func TestADepthIsHowManyRunsWaitedAndRanAtTheMost(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	steps := depthOf([]archive.QueueTime{
		{Queue: "slow", Created: ago(26), Started: ago(13), Ended: ago(7)},
		{Queue: "slow", Created: ago(23), Started: ago(22), Ended: ago(13)}, // it waits for less than a step
		{Queue: "slow", Created: ago(18), Ended: ago(12)},                   // it is cancelled before it starts
		{Queue: "slow", Created: ago(2)},
		{Queue: "slow", Created: ago(60 * 30), Started: ago(60 * 29)}, // it runs since before the first step
		{Queue: "fast", Created: ago(20)},
	}, "slow", now)
	var got []string
	for _, step := range steps[len(steps)-7:] {
		got = append(got, fmt.Sprint(step.Waiting, "/", step.Running))
	}
	if want := "[0/1 1/1 2/2 2/2 2/2 0/2 1/1]"; fmt.Sprint(got) != want {
		t.Errorf("it is %v, not %v", got, want)
	}
	if len(steps) != 288 || !steps[0].From.Equal(now.Add(-24*time.Hour)) || steps[0].Running != 1 {
		t.Errorf("%d steps begin with %+v", len(steps), steps[0])
	}
}
