package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration is a time in whole hours, minutes and seconds, such as 0s, 90s, 30m or 24h.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s)){1,3}$')",message="write whole hours, minutes and seconds, such as 0s, 30m or 24h: at most 99999h, no days, no fractions, not negative"
type Duration metav1.Duration

// MarshalJSON writes the duration as metav1.Duration does.
func (d Duration) MarshalJSON() ([]byte, error) { return metav1.Duration(d).MarshalJSON() }

// UnmarshalJSON reads the duration as metav1.Duration does.
func (d *Duration) UnmarshalJSON(text []byte) error { return (*metav1.Duration)(d).UnmarshalJSON(text) }

// PositiveDuration is a time of at least 1s, in whole hours, minutes and seconds, such as 90s, 10m or 1h30m.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s)){1,3}$') && duration(self) >= duration('1s')",message="write whole hours, minutes and seconds, such as 90s, 10m or 1h30m: at least 1s, at most 99999h, no days, no fractions"
type PositiveDuration metav1.Duration

// MarshalJSON writes the duration as metav1.Duration does.
func (d PositiveDuration) MarshalJSON() ([]byte, error) { return metav1.Duration(d).MarshalJSON() }

// UnmarshalJSON reads the duration as metav1.Duration does.
func (d *PositiveDuration) UnmarshalJSON(text []byte) error {
	return (*metav1.Duration)(d).UnmarshalJSON(text)
}
