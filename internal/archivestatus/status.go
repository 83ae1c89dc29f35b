// Package archivestatus is what the server tells the operator, in one ConfigMap of the operator's namespace: up to which resourceVersion it
// has stored what happened to TestRuns, and what its key may be. The server writes the ConfigMap, the operator reads it. It may be missing,
// old or damaged: the operator then works on, and waits for the archive no longer than it is told to.
package archivestatus

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// ConfigMap is the name of the ConfigMap.
const ConfigMap = "testrun-archive"

// The keys of the ConfigMap.
const (
	// KeyWatermark holds the Watermark.
	KeyWatermark = "watermark"
	// KeyPins holds the Pins, with a comma between two.
	KeyPins = "pins"
)

// Status is what the ConfigMap says.
type Status struct {
	// Watermark is a resourceVersion. All that happened to TestRuns up to it is stored. Empty means that nobody knows.
	Watermark string
	// Pins are what the server's key may be: see ParsePins. None means that nobody knows.
	Pins []string
}

// Data is the Status as the ConfigMap holds it.
func (s Status) Data() map[string]string {
	return map[string]string{KeyWatermark: s.Watermark, KeyPins: strings.Join(s.Pins, ",")}
}

// Holds says whether the archive has stored an object of that resourceVersion. It has not if either version is none.
func (s Status) Holds(version string) bool {
	order, err := resourceversion.CompareResourceVersion(version, s.Watermark)
	return err == nil && order <= 0
}

// Read reads what Data wrote. It leaves out what cannot be used; the error then says what that is, and the rest counts.
func Read(data map[string]string) (Status, error) {
	var status Status
	noWatermark := validate(data[KeyWatermark])
	if noWatermark == nil {
		status.Watermark = data[KeyWatermark]
	}
	pins, noPins := ParsePins(data[KeyPins])
	if noPins == nil {
		status.Pins = pins
	} else {
		noPins = fmt.Errorf("%s: %w", KeyPins, noPins)
	}
	return status, errors.Join(noWatermark, noPins)
}

// maxDigits is how many digits a resourceVersion has at most: it is a number of 64 bits.
const maxDigits = 20

func validate(watermark string) error {
	if len(watermark) > maxDigits {
		return fmt.Errorf("%s has %d characters: a resourceVersion has at most %d", KeyWatermark, len(watermark), maxDigits)
	}
	if _, err := resourceversion.CompareResourceVersion(watermark, watermark); err != nil {
		return fmt.Errorf("%s is %q: it is a resourceVersion", KeyWatermark, watermark)
	}
	return nil
}

// maxPins is how many pins there are at most: the key that is used, and the one that follows.
const maxPins = 2

// ParsePins reads one pin, or two with a comma between them. A pin is the SHA-256 of the SubjectPublicKeyInfo of the server's certificate, in
// hex. It is returned in lower case.
func ParsePins(text string) ([]string, error) {
	const length = 64
	if text == "" {
		return nil, errors.New("there is no pin")
	}
	if len(text) > maxPins*length+1 {
		return nil, fmt.Errorf("%d characters are more than %d pins have", len(text), maxPins)
	}
	pins := strings.Split(strings.ToLower(text), ",")
	for _, pin := range pins {
		if _, err := hex.DecodeString(pin); err != nil || len(pin) != length {
			return nil, fmt.Errorf("%q is no pin: a pin is a SHA-256 in hex, %d characters", pin, length)
		}
	}
	return slices.Compact(pins), nil
}
