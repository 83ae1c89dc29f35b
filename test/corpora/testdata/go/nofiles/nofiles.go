// Package nofiles has no test.
package nofiles
