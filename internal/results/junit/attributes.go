package junit

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"
)

type attributes []xml.Attr

// get returns the value of the first of the attributes that has one.
func (a attributes) get(names ...string) string {
	for _, name := range names {
		for i := range a {
			if a[i].Name.Local == name && strings.TrimSpace(a[i].Value) != "" {
				return a[i].Value
			}
		}
	}
	return ""
}

// count reads a number; what is none counts 0.
func count(text string) int64 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0
	}
	return int64(n)
}

// maxSeconds is longer than any pod lives.
const maxSeconds = 9999 * 60 * 60

// duration reads seconds. Some writers group digits by commas, some have a comma for the point, as their language has, and
// some add the unit. What cannot be read is 0.
func duration(text string) time.Duration {
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "s"))
	if whole, decimals, found := strings.Cut(text, ","); found && !strings.ContainsAny(decimals, ".,") &&
		(len(decimals) != 3 || whole == "0") {
		text = whole + "." + decimals
	}
	seconds, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil || !(seconds >= 0 && seconds <= maxSeconds) { // not being in the range, NaN is none either
		return 0
	}
	return time.Duration(math.Round(seconds * float64(time.Second)))
}
