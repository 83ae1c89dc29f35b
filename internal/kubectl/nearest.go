package kubectl

import (
	"fmt"
	"slices"
	"strings"
)

// nearest are those of the names that may have been meant: at most three, the nearest first.
func nearest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, other := range names {
		d := distance(strings.ToLower(name), strings.ToLower(other))
		if d <= 1+len(name)/4 || len(name) >= 3 && strings.HasPrefix(strings.ToLower(other), strings.ToLower(name)) {
			near = append(near, candidate{other, d})
		}
	}
	slices.SortStableFunc(near, func(x, y candidate) int { return x.distance - y.distance })
	const most = 3
	var found []string
	for _, c := range near[:min(len(near), most)] {
		if c.distance == near[0].distance || strings.HasPrefix(strings.ToLower(c.name), strings.ToLower(name)) {
			found = append(found, c.name)
		}
	}
	return found
}

// didYouMean asks whether one of the names was meant; empty if none is near.
func didYouMean(name string, names []string) string {
	if near := nearest(name, names); len(near) > 0 {
		return fmt.Sprintf("Did you mean %s?", strings.Join(near, " or "))
	}
	return ""
}

// sentences puts together those that are not empty.
func sentences(all ...string) string {
	text := ""
	for _, sentence := range all {
		switch {
		case sentence == "":
		case text == "" || strings.HasSuffix(text, "?"):
			text = strings.TrimSpace(text + " " + sentence)
		default:
			text += ". " + sentence
		}
	}
	return text
}

// distance is how many letters have to be changed, added, left out or swapped with the next one.
func distance(a, b string) int {
	const longest = 128 // names are bounded; what is longer was not mistyped
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, above[j]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}

// listed are names in a sentence: all of them if they are few.
func listed(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
