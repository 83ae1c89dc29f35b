package main

import (
	"bytes"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
)

func TestMemoryForAKeptRunIsByHowMuchItGrows(t *testing.T) {
	targets := judgeScale([]scale{
		{Kept: 1000, RSSMiB: 50},
		{Kept: 11000, RSSMiB: 90, PeakMiB: 100}, // a step in between does not count
		{Kept: 101000, RSSMiB: 50 + 100000*6.0/1024, PeakMiB: 700, List: 10, Restart: 25},
	})
	for i, want := range []float64{2.5, 700, 6} {
		if got := targets[i].Sample.Median; got != want {
			t.Errorf("%s: %v, want %v", targets[i].What, got, want)
		}
		if targets[i].Verdict != notDecided {
			t.Errorf("%s: measured once it is %s", targets[i].What, targets[i].Verdict)
		}
	}
	if targets := judgeScale([]scale{{Kept: 1000, List: 1}}); len(targets) != 2 {
		t.Errorf("one number of runs shows no growth, and yet there are %v", targets)
	}
}

func TestTheHeapIsReadFromThisProcess(t *testing.T) {
	var profile bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	if got, err := heapIn(profile.String()); err != nil || got < 0.1 || got > 10000 {
		t.Errorf("the heap of this process is %v MiB, %v", got, err)
	}
	if got, err := heapIn("# HeapSys = 1\n# HeapAlloc = 3145728\n"); err != nil || got != 3 {
		t.Errorf("3 MiB are %v MiB, %v", got, err)
	}
	if _, err := heapIn("# HeapSys = 1\n"); err == nil {
		t.Error("no figure is taken for one")
	}
}

func TestNumbersAscend(t *testing.T) {
	if got, err := numbers("1000,5000"); err != nil || !slices.Equal(got, []int{1000, 5000}) {
		t.Errorf("they are %v, %v", got, err)
	}
	for _, list := range []string{"", "0", "5,5", "10,1", "1,", "ten"} {
		if got, err := numbers(list); err == nil || !strings.Contains(err.Error(), "is no number above") {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

func TestAPortionIsMeasuredAloneOrWithAllOthers(t *testing.T) {
	for only, want := range map[string]string{"": "rounds pods queues scale ", "queues": "queues ", "nothing": ""} {
		got := ""
		chosen, err := portions(only)
		for _, portion := range chosen {
			got += portion.name + " "
		}
		if got != want || (err != nil) != (want == "") {
			t.Errorf("-only=%s: %q, %v", only, got, err)
		}
	}
}
