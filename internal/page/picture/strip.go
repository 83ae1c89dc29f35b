package picture

import (
	"fmt"
	"html/template"
)

// Mark is one outcome of a strip.
type Mark struct {
	// Class names the outcome: passed, failed, error, timedout, cancelled, flaky, progress or pending. Word says it.
	Class, Word string
	// Name is what ended so, and When says when.
	Name, When string
	// Href leads to it, if it is a path.
	Href string
}

// Strip is a row of outcomes, the oldest first.
type Strip struct {
	// Label says in words what the strip shows.
	Label string
	// Places is how many outcomes there is room for. Of more, the newest are shown.
	Places int
	Marks  []Mark
	// Links has each outcome lead to what ended so, with a table of them all, the newest first.
	Links bool
}

// How large a mark is, in units of the drawing.
const (
	markWidth, markGap = 5, 2
	stripHeight        = 24
)

// shapes are the parts of a mark, from and to which height, from the top: so an outcome is known by its shape, too.
var shapes = map[string][][2]int{
	"passed":    {{10, 24}},
	"flaky":     {{6, 11}, {14, 24}},
	"failed":    {{0, 24}},
	"error":     {{0, 10}, {13, 24}},
	"timedout":  {{0, 4}, {7, 24}},
	"cancelled": {{20, 24}},
	"progress":  {{15, 24}},
	"pending":   {{18, 24}},
	"none":      {{22, 24}},
}

// shapeOf is the path of a mark at a place.
func shapeOf(class string, place int) string {
	path := ""
	for _, part := range shapes[class] {
		path += fmt.Sprintf("M%d %dh%dv%dh-%dz", place*(markWidth+markGap), part[0], markWidth, part[1]-part[0], markWidth)
	}
	return path
}

// Draw draws the strip.
func (s Strip) Draw() template.HTML {
	marks := s.Marks[max(0, len(s.Marks)-s.Places):]
	var d drawing
	role := "img"
	if s.Links {
		role = "group" // what is in a picture cannot be reached
		d.open("figure", "class", "picture")
	}
	d.open("svg", "class", "strip", "role", role, "aria-label", s.Label, "viewBox",
		fmt.Sprintf("0 0 %d %d", max(1, s.Places)*(markWidth+markGap)-markGap, stripHeight), "preserveAspectRatio", "none")
	paths := map[string]string{}
	for place := range s.Places - len(marks) {
		paths["none"] += shapeOf("none", place)
	}
	for i, mark := range marks {
		place := s.Places - len(marks) + i
		if shapes[mark.Class] == nil {
			mark.Class = "pending"
		}
		if s.Links && local(mark.Href) != "" {
			d.link(mark, place)
		} else {
			paths[mark.Class] += shapeOf(mark.Class, place)
		}
	}
	for _, class := range []string{"none", "passed", "flaky", "failed", "error", "timedout", "cancelled", "progress", "pending"} {
		if paths[class] != "" {
			d.path(class, paths[class])
		}
	}
	d.close("svg")
	if s.Links {
		d.table(s.Label, []string{"Run", "Outcome", "Created"}, len(marks), func(n int) (string, []string) {
			mark := marks[len(marks)-1-n]
			return mark.Href, []string{mark.Name, mark.Word, mark.When}
		})
		d.close("figure")
	}
	return d.done()
}

// link draws a mark that leads to what ended so. The keyboard reaches it in the table, so that a strip is no hundred stops.
func (d *drawing) link(mark Mark, place int) {
	title := mark.Word + ": " + mark.Name
	if mark.When != "" {
		title += ", " + mark.When
	}
	d.open("a", "href", mark.Href, "tabindex", "-1", "aria-label", title)
	d.element("title", title)
	d.path("hit", fmt.Sprintf("M%d 0h%dv%dh-%dz", place*(markWidth+markGap)-markGap/2, markWidth+markGap, stripHeight, markWidth+markGap))
	d.path(mark.Class, shapeOf(mark.Class, place))
	d.close("a")
}

// HeatDay is a day of something that changes between passed and failed.
type HeatDay struct {
	// Day is its name.
	Day string
	// Runs is how often it ended, and Bad how often not well.
	Runs, Bad int64
}

// Heat is a row of a heat map: a cell for each day. The more often it went wrong, the higher and stronger a cell is.
func Heat(label string, days []HeatDay) template.HTML {
	var d drawing
	const width, gap = 12, 2
	d.open("svg", "class", "heat", "role", "img", "aria-label", label, "viewBox", fmt.Sprintf("0 0 %d 24", max(1, len(days))*(width+gap)-gap), "preserveAspectRatio", "none")
	for i, day := range days {
		cell := func(class string, top int) {
			d.path(class, fmt.Sprintf("M%d %dh%dv%dh-%dz", i*(width+gap), top, width, 24-top, width))
		}
		d.open("g")
		switch heat := level(day); heat {
		case 0:
			d.element("title", day.Day+": "+map[bool]string{true: "no run", false: "always passed"}[day.Runs == 0])
			cell(map[bool]string{true: "none", false: "calm"}[day.Runs == 0], map[bool]int{true: 22, false: 19}[day.Runs == 0])
		default:
			d.element("title", fmt.Sprintf("%s: %d of %d went wrong", day.Day, day.Bad, day.Runs))
			cell(fmt.Sprintf("hot%d", heat), 19-heat*19/4)
		}
		d.close("g")
	}
	d.close("svg")
	return d.done()
}

// level is how hot a day is, from 0 to 4.
func level(day HeatDay) int {
	if day.Bad <= 0 || day.Runs <= 0 {
		return 0
	}
	return 1 + min(3, int(4*part(float64(day.Bad), float64(day.Runs))))
}
