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

func TestTheMachinesCPUTimeIsWithoutItsIdleTime(t *testing.T) {
	got, err := machineTime([]byte("cpu  100 20 30 9000 800 5 45 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n"))
	if err != nil || got != 2*time.Second {
		t.Errorf("200 ticks: %v, %v", got, err)
	}
	for _, broken := range []string{"cpu  100 20\n", "intr 1 2 3 4 5 6 7 8\n", "cpu a 1 1 1 1 1 1\n"} {
		if _, err := machineTime([]byte(broken)); err == nil {
			t.Errorf("%q is taken for a time", broken)
		}
	}
}

func TestMemoryIsReadFromThisProcess(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	for _, field := range []string{"VmRSS", "VmHWM"} {
		if got, err := memoryIn(string(status), field); err != nil || got < 1 || got > 10000 {
			t.Errorf("%s of this process is %v MiB, %v", field, got, err)
		}
	}
	if got, err := memoryIn("VmPeak: 1 kB\nVmHWM:\t    2048 kB\n", "VmHWM"); err != nil || got != 2 {
		t.Errorf("2048 kB are %v MiB, %v", got, err)
	}
	if _, err := memoryIn("VmHWM: 1 kB\n", "VmRSS"); err == nil {
		t.Error("another field is taken for it")
	}
}
