// Package process starts programs that outlive this one, and ends only those it started.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Identity names one process for ever: a pid alone is given to another process sooner or later.
type Identity struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"` // clock ticks after boot
	BootID    string `json:"bootID"`
}

// errGone means that there is no such process, or only its remains that nobody has collected.
var errGone = errors.New("no such process")

// Identify reads the identity of a running process.
func Identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, errGone
	}
	start, err := parseStat(stat)
	if err != nil {
		return Identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTime: start, BootID: strings.TrimSpace(string(boot))}, nil
}

// parseStat finds the start time (field 22) in /proc/<pid>/stat. The second field is the program's name in
// parentheses, which may itself hold spaces and parentheses, so counting starts behind the last one.
func parseStat(stat []byte) (uint64, error) {
	const stateField, startField = 3, 22
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= startField-stateField {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return 0, errGone
	}
	return strconv.ParseUint(fields[startField-stateField], 10, 64)
}

// Alive says whether this very process still runs.
func (i Identity) Alive() bool {
	if i.PID <= 0 {
		return false
	}
	now, err := Identify(i.PID)
	return err == nil && now == i
}
