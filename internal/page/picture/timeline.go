package picture

import (
	"html/template"
	"time"
)

// Lane is a row of a timeline.
type Lane struct {
	Name  string
	Spans []Span
}

// Span is a time in which something went on. Its class says how it looks, its word what went on, and Took for how long.
type Span struct {
	Class, Word string
	From, To    time.Time
	Took        string
}

// Timeline shows what went on when: a row for each lane, all on the same scale.
func Timeline(label string, lanes []Lane) template.HTML {
	var first, last time.Time
	type row struct {
		lane string
		span Span
	}
	var rows []row
	for _, lane := range lanes {
		for _, span := range lane.Spans {
			if first.IsZero() || span.From.Before(first) {
				first = span.From
			}
			if span.To.After(last) {
				last = span.To
			}
			rows = append(rows, row{lane.Name, span})
		}
	}
	all := last.Sub(first).Seconds()
	var d drawing
	d.open("figure", "class", "picture timeline")
	for _, lane := range lanes {
		d.open("div", "class", "lane")
		d.element("span", lane.Name)
		d.open("svg", "viewBox", "0 0 1000 14", "preserveAspectRatio", "none", "role", "img", "aria-label", label+", "+lane.Name)
		d.path("none", "M0 7H1000")
		for _, span := range lane.Spans {
			from := 1000 * part(span.From.Sub(first).Seconds(), all)
			to := max(1000*part(span.To.Sub(first).Seconds(), all), from+3)
			d.open("path", "class", span.Class, "d", "M"+number(from)+" 1H"+number(to)+"V13H"+number(from)+"Z")
			d.element("title", span.Word+": "+span.Took)
			d.close("path")
		}
		d.close("svg")
		d.close("div")
	}
	d.table(label, []string{"What", "Went on", "For", "From"}, len(rows), func(n int) (string, []string) {
		return "", []string{rows[n].lane, rows[n].span.Word, rows[n].span.Took, rows[n].span.From.UTC().Format("15:04:05 UTC")}
	})
	d.close("figure")
	return d.done()
}
