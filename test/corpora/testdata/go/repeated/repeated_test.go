package repeated

import "testing"

var tries int

func TestFailsOnce(t *testing.T) {
	if tries++; tries == 2 {
		t.Error("the second time")
	}
}
