package main

import (
	"os"
	"testing"
	"time"
)

func TestCPUTimeIsReadBehindANameWithSpaces(t *testing.T) {
	got, err := cpuTime([]byte("7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 9 0 4711 1000 200"))
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("150 and 25 ticks: %v, %v", got, err)
	}
	if _, err := cpuTime([]byte("7 (a) S 1")); err == nil {
		t.Error("a line that is cut short is taken for a time")
	}
}

func TestPeakMemoryIsReadFromThisProcess(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	if got, err := peak(string(status)); err != nil || got < 1 || got > 10000 {
		t.Errorf("this process had %v MiB, %v", got, err)
	}
	if got, err := peak("VmPeak: 1 kB\nVmHWM:\t    2048 kB\n"); err != nil || got != 2 {
		t.Errorf("2048 kB are %v MiB, %v", got, err)
	}
	if _, err := peak("Name: a\n"); err == nil {
		t.Error("no figure is taken for one")
	}
}
