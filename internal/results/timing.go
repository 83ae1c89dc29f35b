package results

import (
	"strconv"
	"strings"
	"time"
)

// maxTiming is longer than any case runs. A longer time is not believed.
const maxTiming = 1000 * time.Hour

// CutTime splits a name that ends with the time that the case took, as bats --timing writes it: "adds numbers in 12ms". ok is
// false if the name has no such end.
func CutTime(name string) (title string, took time.Duration, ok bool) {
	i := strings.LastIndex(name, " in ")
	if i < 0 {
		return name, 0, false
	}
	number, ok := strings.CutSuffix(name[i+len(" in "):], "ms")
	if !ok || strings.Trim(number, "0123456789") != "" {
		return name, 0, false
	}
	ms, err := strconv.ParseInt(number, 10, 64)
	if err != nil || ms > maxTiming.Milliseconds() {
		return name[:i], 0, false
	}
	return name[:i], time.Duration(ms) * time.Millisecond, true
}
