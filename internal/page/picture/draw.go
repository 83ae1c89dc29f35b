// Package picture draws pictures as SVG: pure functions of what they show.
//
// A picture says in words what it shows, too, and where numbers matter it has them as a table. It has classes for its colors and no styles,
// since pages allow none: page.css has both. What it shows is a test's or a user's: all of it is escaped, in one place.
package picture

import (
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing is written element by element. All text and every value of an attribute is escaped.
type drawing struct{ text strings.Builder }

// open begins an element. The attributes are names and values in turn; one without a value is left out.
func (d *drawing) open(element string, attributes ...string) {
	d.text.WriteString("<" + element)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			d.text.WriteString(" " + attributes[i] + `="` + escaped(attributes[i+1]) + `"`)
		}
	}
	d.text.WriteString(">")
}

// path draws a path. Its class says how it looks.
// It is made of numbers, and as long as it has to be.
func (d *drawing) path(class, path string) {
	d.text.WriteString(`<path class="` + escaped(class) + `" d="` + html.EscapeString(path) + `"/>`)
}

func (d *drawing) close(element string) { d.text.WriteString("</" + element + ">") }

// element is one with text alone.
func (d *drawing) element(element, text string, attributes ...string) {
	d.open(element, attributes...)
	d.text.WriteString(escaped(text))
	d.close(element)
}

// table is a table in words of what is drawn, folded. Each row begins with what it is of.
func (d *drawing) table(caption string, heads []string, rows int, row func(n int) (href string, cells []string)) {
	if rows == 0 {
		return
	}
	d.open("details", "class", "numbers")
	d.element("summary", "As a table")
	d.open("div", "class", "scroll")
	d.open("table")
	d.element("caption", caption, "class", "sr")
	d.open("thead")
	d.open("tr")
	for _, head := range heads {
		d.element("th", head, "scope", "col")
	}
	d.close("tr")
	d.close("thead")
	d.open("tbody")
	for n := range rows {
		href, cells := row(n)
		d.open("tr")
		for i, cell := range cells {
			d.open("td")
			if i == 0 && local(href) != "" {
				d.element("a", cell, "href", href)
			} else {
				d.text.WriteString(escaped(cell))
			}
			d.close("td")
		}
		d.close("tr")
	}
	d.close("tbody")
	d.close("table")
	d.close("div")
	d.close("details")
}

// done is the drawing. Nothing in it was written without being escaped.
func (d *drawing) done() template.HTML { return template.HTML(d.text.String()) } //nolint:gosec // see above

// maxText is how long a text in a picture may be.
const maxText = 300

func escaped(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "�")
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText-1]) + "…"
	}
	return html.EscapeString(text)
}

// local is the address if it is a path of this server, and else nothing.
func local(href string) string {
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") || strings.ContainsAny(href, "\\\t\r\n") {
		return ""
	}
	return href
}

// number is a coordinate, to a hundredth.
func number(x float64) string { return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64) }

// sane is the value without what cannot be drawn.
func sane(x float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, math.MaxFloat64/4)
}

// part is x of all, between 0 and 1.
func part(x, all float64) float64 {
	if x, all = sane(x), sane(all); all > 0 {
		return min(x/all, 1)
	}
	return 0
}
