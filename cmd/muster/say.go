package main

import (
	"fmt"

	"github.com/muster-ha/muster/internal/api/render"
)

// say reports an order that was carried out: a word for programs, a sentence for people.
func (a *app) say(state, sentence string) error {
	if a.json {
		return render.JSON(a.out, map[string]string{"state": state})
	}
	_, err := fmt.Fprintln(a.out, sentence)
	return err
}
