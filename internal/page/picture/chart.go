package picture

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// Chart is how values changed over time.
type Chart struct {
	// Label says in words what the chart shows.
	Label string
	// Lines are the names of the values, at most three.
	Lines []string
	// Points are in the order of time.
	Points []Point
	// From and To are what the chart shows of the time; without them, it is that of the points.
	From, To time.Time
	// Steps says that a value holds until the next one. Without it, values are joined by lines.
	Steps bool
	// Format says a value in words, Top is a good end for a scale that has to reach that far, and When says a time.
	Format func(float64) string
	Top    func(float64) float64
	When   func(time.Time) string
}

// Point are the values at a time, one for each line.
type Point struct {
	At     time.Time
	Values []float64
}

// The size of a chart, in units of the drawing.
const chartWidth, chartHeight = 1000.0, 100.0

// maxPoints is how many points are drawn; of more, the newest.
const maxPoints = 1000

// Draw draws the chart.
func (c Chart) Draw() template.HTML {
	c.Points = c.Points[max(0, len(c.Points)-maxPoints):]
	if len(c.Points) > 0 && c.From.IsZero() {
		c.From, c.To = c.Points[0].At, c.Points[len(c.Points)-1].At
	}
	top := c.top()
	var d drawing
	d.open("figure", "class", "picture chart")
	if len(c.Lines) > 1 {
		d.open("figcaption")
		for n, line := range c.Lines {
			d.open("span", "class", "key")
			d.open("svg", "viewBox", "0 0 20 8", "aria-hidden", "true")
			d.path(lineClass(n), "M0 4H20")
			d.close("svg")
			d.element("span", line)
			d.close("span")
		}
		d.close("figcaption")
	}
	d.open("div", "class", "plot")
	d.axis("y", c.Format(top), c.Format(top/2), "0")
	d.open("svg", "role", "img", "aria-label", c.Label, "viewBox", fmt.Sprintf("0 0 %g %g", chartWidth, chartHeight), "preserveAspectRatio", "none")
	d.path("grid", "M0 0H1000M0 50H1000M0 100H1000")
	for n := range c.Lines {
		c.line(&d, n, top)
	}
	c.hover(&d)
	d.close("svg")
	if !c.From.Equal(c.To) {
		d.axis("x", c.When(c.From), c.When(c.To))
	} else if len(c.Points) > 0 {
		d.axis("x", c.When(c.From))
	}
	d.close("div")
	d.table(c.Label, append([]string{"When"}, c.Lines...), len(c.Points), func(n int) (string, []string) {
		point := c.Points[len(c.Points)-1-n]
		return "", append([]string{c.When(point.At)}, c.values(point)...)
	})
	d.close("figure")
	return d.done()
}

func lineClass(n int) string { return fmt.Sprintf("line line%d", n+1) }

func (d *drawing) axis(name string, texts ...string) {
	d.open("div", "class", "axis "+name, "aria-hidden", "true")
	for _, text := range texts {
		d.element("span", text)
	}
	d.close("div")
}

// top is where the scale ends.
func (c Chart) top() float64 {
	highest := 0.0
	for _, point := range c.Points {
		for _, value := range point.Values {
			highest = max(highest, sane(value))
		}
	}
	return sane(c.Top(highest))
}

func (c Chart) values(point Point) []string {
	texts := make([]string, 0, len(c.Lines))
	for n := range c.Lines {
		text := ""
		if n < len(point.Values) {
			text = c.Format(sane(point.Values[n]))
		}
		texts = append(texts, text)
	}
	return texts
}

func (c Chart) x(at time.Time) float64 {
	if !c.To.After(c.From) {
		return chartWidth / 2
	}
	return chartWidth * part(at.Sub(c.From).Seconds(), c.To.Sub(c.From).Seconds())
}

// line draws one line, with a dot for each point if there is room for them.
func (c Chart) line(d *drawing, n int, top float64) {
	var path, dots strings.Builder
	before := ""
	for _, point := range c.Points {
		if n >= len(point.Values) {
			continue
		}
		x, y := number(c.x(point.At)), number(chartHeight*(1-part(point.Values[n], top)))
		switch {
		case path.Len() == 0:
			path.WriteString("M" + x + " " + y)
		case c.Steps:
			path.WriteString("H" + x + "V" + y)
		default:
			path.WriteString("L" + x + " " + y)
		}
		dots.WriteString("M" + x + " " + y + "h0")
		before = x
	}
	if path.Len() == 0 {
		return
	}
	if c.Steps {
		path.WriteString("H" + number(chartWidth))
	}
	if n == 0 && (c.Steps || len(c.Points) > 1) {
		first, last := number(c.x(c.Points[0].At)), before
		if c.Steps {
			last = number(chartWidth)
		}
		d.path("area", path.String()+"L"+last+" 100H"+first+"z")
	}
	d.path(lineClass(n), path.String())
	if !c.Steps && len(c.Points) <= 60 {
		d.path(fmt.Sprintf("dot dot%d", n+1), dots.String())
	}
}

// hover says the values of a point where the mouse is.
func (c Chart) hover(d *drawing) {
	for i, point := range c.Points {
		from, to := 0.0, chartWidth
		if i > 0 {
			from = (c.x(c.Points[i-1].At) + c.x(point.At)) / 2
		}
		if i+1 < len(c.Points) {
			to = (c.x(point.At) + c.x(c.Points[i+1].At)) / 2
		}
		if c.Steps {
			from, to = c.x(point.At), to*2-c.x(point.At)
			if i+1 == len(c.Points) {
				to = chartWidth
			}
		}
		texts := c.values(point)
		for n, text := range texts {
			texts[n] = c.Lines[n] + " " + text
		}
		d.open("g")
		d.element("title", c.When(point.At)+": "+strings.Join(texts, ", "))
		d.path("hit", "M"+number(from)+" 0H"+number(to)+"V100H"+number(from)+"z")
		d.close("g")
	}
}

// Spark is a small line of values in their order, for a row of a table.
func Spark(label string, values []float64) template.HTML {
	values = values[max(0, len(values)-maxPoints):]
	highest := 0.0
	for _, value := range values {
		highest = max(highest, sane(value))
	}
	var d drawing
	d.open("svg", "class", "spark", "role", "img", "aria-label", label, "viewBox", "0 0 100 20", "preserveAspectRatio", "none")
	path := ""
	for i, value := range values {
		x := 50.0
		if len(values) > 1 {
			x = 2 + 96*float64(i)/float64(len(values)-1)
		}
		path += map[bool]string{true: "M", false: "L"}[i == 0] + number(x) + " " + number(18-16*part(value, highest))
	}
	if len(values) == 1 {
		path += "h0"
	}
	if path != "" {
		d.path("line line1", path)
	}
	d.close("svg")
	return d.done()
}

// SecondsTop is a good end for a scale of seconds, half of which is a good number, too.
func SecondsTop(highest float64) float64 {
	const minute, hour, day = 60, 3600, 86400
	if highest = sane(highest); highest > 0 && highest < 0.5 {
		return CountTopOf(highest, 1e-6)
	}
	for _, top := range []float64{
		1, 2, 4, 6, 10, 20, 30, minute, 2 * minute, 4 * minute, 6 * minute, 10 * minute, 20 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 6 * hour, 12 * hour, day,
	} {
		if highest <= top {
			return top
		}
	}
	return day * CountTop(highest/day)
}

// CountTop is a good end for a scale of numbers: 2, 4, 6 or 10, and ten times that, and so on.
func CountTop(highest float64) float64 { return CountTopOf(highest, 1) }

// CountTopOf is CountTop in other units.
func CountTopOf(highest, unit float64) float64 {
	highest = sane(highest)
	for ; ; unit *= 10 {
		for _, top := range []float64{2, 4, 6, 10} {
			if highest <= top*unit || math.IsInf(unit*10, 0) {
				return top * unit
			}
		}
	}
}
