package archivestatus

import (
	"reflect"
	"strings"
	"testing"
)

func pin(digit string) string { return strings.Repeat(digit, 64) }

func TestTheStatusIsReadAsItWasWritten(t *testing.T) {
	for _, status := range []Status{
		{Watermark: "1", Pins: []string{pin("a")}},
		{Watermark: "18446744073709551615", Pins: []string{pin("a"), pin("b")}},
	} {
		if read, err := Read(status.Data()); err != nil || !reflect.DeepEqual(read, status) {
			t.Errorf("%+v is read as %+v, %v", status, read, err)
		}
	}
}

// Whoever may write the ConfigMap can write anything into it.
func TestWhatCannotBeUsedIsLeftOutAndTheRestCounts(t *testing.T) {
	good := Status{Watermark: "41", Pins: []string{pin("a")}}
	noWatermark, noPins := Status{Pins: good.Pins}, Status{Watermark: good.Watermark}
	for name, test := range map[string]struct {
		watermark, pins string
		want            Status
		says            string
	}{
		"no watermark":            {"", pin("a"), noWatermark, `watermark is "": it is a resourceVersion`},
		"a watermark of zero":     {"0", pin("a"), noWatermark, `watermark is "0": it is a resourceVersion`},
		"a negative watermark":    {"-41", pin("a"), noWatermark, `watermark is "-41": it is a resourceVersion`},
		"a watermark in words":    {"all", pin("a"), noWatermark, `watermark is "all": it is a resourceVersion`},
		"a watermark with a line": {"41\n", pin("a"), noWatermark, `watermark is "41\n": it is a resourceVersion`},
		"a watermark beyond all":  {strings.Repeat("9", 1<<20), pin("a"), noWatermark, "watermark has 1048576 characters: a resourceVersion has at most 20"},
		"no pin":                  {"41", "", noPins, "pins: there is no pin"},
		"a pin that is too short": {"41", "ab", noPins, `pins: "ab" is no pin: a pin is a SHA-256 in hex, 64 characters`},
		"a pin that is no hex":    {"41", pin("g"), noPins, `pins: "` + pin("g") + `" is no pin: a pin is a SHA-256 in hex, 64 characters`},
		"one pin of two":          {"41", pin("a") + ",", noPins, `pins: "" is no pin: a pin is a SHA-256 in hex, 64 characters`},
		"many pins":               {"41", strings.Repeat(pin("a")+",", 1000), noPins, "pins: 65000 characters are more than 2 pins have"},
		"nothing":                 {"", "", Status{}, "watermark is \"\": it is a resourceVersion\npins: there is no pin"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(map[string]string{KeyWatermark: test.watermark, KeyPins: test.pins})
			if !reflect.DeepEqual(got, test.want) || err == nil || err.Error() != test.says {
				t.Errorf("it is read as %+v, %v; want %+v, %q", got, err, test.want, test.says)
			}
		})
	}
}

func TestAPinIsTheSameInCapitals(t *testing.T) {
	pins, err := ParsePins(pin("A") + "," + pin("a"))
	if err != nil || !reflect.DeepEqual(pins, []string{pin("a")}) {
		t.Errorf("they are %q, %v", pins, err)
	}
}

func TestTheArchiveHoldsWhatIsNotBeyondItsWatermark(t *testing.T) {
	for _, test := range []struct {
		version, watermark string
		holds              bool
	}{
		{"41", "41", true},
		{"41", "42", true},
		{"9", "10", true},
		{"42", "41", false},
		{"10", "9", false},
		{"41", "", false},
		{"", "41", false},
		{"", "", false},
		{"opaque", "41", false},
		{"041", "41", false},
		{"18446744073709551615", "18446744073709551614", false},
	} {
		if holds := (Status{Watermark: test.watermark}).Holds(test.version); holds != test.holds {
			t.Errorf("with the watermark %q it holds version %q: %t", test.watermark, test.version, holds)
		}
	}
}
