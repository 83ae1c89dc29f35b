package picture

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the pictures that are wanted")

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>' onload='alert(3)` + "\x00\xff"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func seconds(x float64) string  { return fmt.Sprintf("%g s", x) }
func when(at time.Time) string  { return at.Format("2 Jan 15:04") }
func hours(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Hour))) }

func chart(lines []string, points ...Point) Chart {
	return Chart{Label: "Durations of shop", Lines: lines, Points: points, Format: seconds, Top: SecondsTop, When: when}
}

func marks(classes ...string) (all []Mark) {
	for i, class := range classes {
		all = append(all, Mark{Class: class, Word: strings.ToTitle(class[:1]) + class[1:], Name: fmt.Sprintf("shop-%d", i+1), When: when(hours(float64(i))), Href: fmt.Sprintf("/runs/%d", i+1)})
	}
	return all
}

var every = []string{"passed", "flaky", "failed", "error", "timedout", "cancelled", "progress", "pending"}

// pictures are one of each kind, by the name of the file that says how it is to be.
var pictures = map[string]template.HTML{
	"strip":         Strip{Label: "The last 8 runs: 2 passed", Places: 10, Marks: marks(every...)}.Draw(),
	"strip-links":   Strip{Label: "The last 8 runs: 2 passed", Places: 8, Marks: marks(every...), Links: true}.Draw(),
	"strip-empty":   Strip{Label: "No runs", Places: 3}.Draw(),
	"strip-one":     Strip{Label: "One run: it failed", Places: 3, Marks: marks("failed"), Links: true}.Draw(),
	"strip-more":    Strip{Label: "The last 2 runs", Places: 2, Marks: marks("failed", "passed", "passed")}.Draw(),
	"strip-hostile": Strip{Label: hostile, Places: 2, Marks: []Mark{{hostile, hostile, hostile, hostile, "/" + hostile}, {"passed", "Passed", "x", "", "javascript:alert(1)"}}, Links: true}.Draw(),
	"heat":          Heat("adds: went wrong on 3 of 4 days", []HeatDay{{"1 Mar", 0, 0}, {"2 Mar", 4, 0}, {"3 Mar", 4, 1}, {"4 Mar", 2, 1}, {"5 Mar", 1, 1}}),
	"heat-empty":    Heat("nothing", nil),
	"heat-hostile":  Heat(hostile, []HeatDay{{hostile, math.MaxInt64, math.MaxInt64}, {"", -1, -5}}),
	"chart":         chart([]string{"p50", "p95"}, Point{hours(0), []float64{10, 20}}, Point{hours(24), []float64{12, 31}}, Point{hours(72), []float64{40, 55}}).Draw(),
	"chart-empty":   chart([]string{"p50", "p95"}).Draw(),
	"chart-one":     chart([]string{"p50"}, Point{hours(0), []float64{10}}).Draw(),
	"chart-huge":    chart([]string{"p50", "p95"}, Point{hours(0), []float64{math.Inf(1), math.NaN()}}, Point{hours(1), []float64{-3}}, Point{hours(2), []float64{1e300, 5}}).Draw(),
	"chart-hostile": Chart{Label: hostile, Lines: []string{hostile, hostile}, Points: []Point{{noon, []float64{1, 2}}}, Format: func(float64) string { return hostile }, Top: CountTop, When: func(time.Time) string { return hostile }}.Draw(),
	"depth": Chart{
		Label: "Waiting: 3 at most", Lines: []string{"waiting"}, Steps: true, From: hours(0), To: hours(4), Format: func(x float64) string { return fmt.Sprint(int(x)) }, Top: CountTop, When: when,
		Points: []Point{{hours(0), []float64{0}}, {hours(1), []float64{3}}, {hours(3), []float64{1}}},
	}.Draw(),
	"timeline": Timeline("When shop-1 waited and ran", []Lane{
		{"Queued", []Span{{"queued", "Queued", hours(0), hours(1), "1 h"}}},
		{"Attempt 1", []Span{{"starting", "Starting", hours(1), hours(1.1), "6 min"}, {"failed", "Running", hours(1.1), hours(4), "3 h"}}},
	}),
	"timeline-instant": Timeline("at once", []Lane{{"Queued", []Span{{"queued", "Queued", noon, noon, "0 s"}}}}),
	"timeline-hostile": Timeline(hostile, []Lane{{hostile, []Span{{hostile, hostile, hours(1), hours(0), hostile}}}}),
	"spark":            Spark("12 s to 40 s", []float64{12, 40, 20}),
	"spark-one":        Spark("12 s", []float64{12}),
	"spark-empty":      Spark("none", nil),
	"spark-huge":       Spark(hostile, []float64{math.Inf(1), 1, math.NaN(), -1}),
}

func TestPicturesAreAsTheirFilesSay(t *testing.T) {
	for name, picture := range pictures {
		file, text := "testdata/"+name+".html", strings.ReplaceAll(string(picture), "><", ">\n<")+"\n"
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != text {
			t.Errorf("%s is not as %s says (%v): go test ./internal/page/picture -update writes it anew, and git diff shows what changed. It is\n%s", name, file, err, text)
		}
	}
}

func TestManyAreDrawnAndNoneIsCutOff(t *testing.T) {
	var many []Mark
	var points []Point
	for i := range 400 {
		many = append(many, Mark{Class: "passed"})
		points = append(points, Point{hours(float64(i)), []float64{float64(i)}})
	}
	if got := strings.Count(string(Strip{Label: "x", Places: 400, Marks: many}.Draw()), "h5v14h-5z"); got != 400 {
		t.Errorf("of 400 marks, %d are drawn", got)
	}
	if got := strings.Count(string(chart([]string{"p50"}, points...).Draw()), "L"); got < 399 {
		t.Errorf("of 400 points, %d are joined", got)
	}
	if text := string(Strip{Label: strings.Repeat("ü", 100_000), Places: 1}.Draw()); len(text) > 2000 {
		t.Errorf("a text makes a picture %d bytes long", len(text))
	}
}

func TestPicturesHoldNothingButWhatPagesAllow(t *testing.T) {
	elements := map[string]bool{}
	for _, name := range strings.Fields("svg path g a title figure figcaption div span details summary table caption thead tbody tr th td") {
		elements[name] = true
	}
	attributes := map[string]bool{}
	for _, name := range strings.Fields("class role aria-label aria-hidden viewBox preserveAspectRatio d href tabindex scope") {
		attributes[name] = true
	}
	for name, picture := range pictures {
		decoder := xml.NewDecoder(strings.NewReader("<x>" + string(picture) + "</x>"))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is not well-formed: %v", name, err)
			}
			element, ok := token.(xml.StartElement)
			if !ok || element.Name.Local == "x" {
				continue
			}
			if !elements[element.Name.Local] {
				t.Errorf("%s has the element %s", name, element.Name.Local)
			}
			for _, attribute := range element.Attr {
				if !attributes[attribute.Name.Local] {
					t.Errorf("%s has the attribute %s of %s", name, attribute.Name.Local, element.Name.Local)
				}
				if attribute.Name.Local == "href" && !strings.HasPrefix(attribute.Value, "/") {
					t.Errorf("%s leads to %q", name, attribute.Value)
				}
				if attribute.Name.Local == "d" && strings.ContainsAny(attribute.Value, "NIe") {
					t.Errorf("%s has the path %q", name, attribute.Value)
				}
			}
		}
	}
}

func TestEveryPictureSaysInWordsWhatItShows(t *testing.T) {
	for name, picture := range pictures {
		if text := string(picture); !strings.Contains(text, `role="img" aria-label="`) && !strings.Contains(text, `role="group" aria-label="`) {
			t.Errorf("%s has no name: %s", name, text)
		}
	}
}

func TestEachOutcomeHasAShapeOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for class := range shapes {
		shape := shapeOf(class, 0)
		if other, ok := seen[shape]; ok || shape == "" {
			t.Errorf("%s looks like %s", class, other)
		}
		seen[shape] = class
	}
}

func TestScalesEndAtGoodNumbers(t *testing.T) {
	for highest, want := range map[float64]float64{
		0: 1, 0.0003: 0.0004, 0.3: 0.4, 1: 1, 1.1: 2, 11: 20, 61: 120, 200: 240, 5000: 7200, 90000: 172800, math.NaN(): 1, -4: 1,
	} {
		if got := SecondsTop(highest); math.Abs(got-want) > want/1e9 {
			t.Errorf("the scale for %g s ends at %g, not %g", highest, got, want)
		}
	}
	for highest, want := range map[float64]float64{0: 2, 3: 4, 7: 10, 11: 20, 61: 100, math.Inf(-1): 2} {
		if got := CountTop(highest); got != want {
			t.Errorf("the scale for %g ends at %g, not %g", highest, got, want)
		}
	}
	for _, top := range []func(float64) float64{SecondsTop, CountTop} {
		if got := top(math.Inf(1)); got < math.MaxFloat64/8 {
			t.Errorf("the scale for something endless ends at %g", got)
		}
	}
}

func TestALineOfManyPointsIsDrawnToItsEnd(t *testing.T) {
	const points = 288
	c := Chart{Label: "many", Lines: []string{"Waiting"}, Steps: true, Format: func(v float64) string { return fmt.Sprint(v) }, Top: CountTop, When: func(t time.Time) string { return t.Format("15:04") }}
	for i := range points {
		c.Points = append(c.Points, Point{time.Unix(int64(i)*300, 0), []float64{float64(i % 7)}})
	}
	if got := strings.Count(string(c.Draw()), "V"); got < 2*(points-1) {
		t.Errorf("its line and its area have %d steps, not %d each", got, points-1)
	}
}
