package filter

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// TestSwappedNumbersAreMaskedBeforeTheyAreAdded: older kernels (6.1) take a number of 16 bits whose bytes were swapped for one of any size, and refuse a program that
// adds it to a pointer. A kernel of today does not notice; `make kernels` asks an old one.
func TestSwappedNumbersAreMaskedBeforeTheyAreAdded(t *testing.T) {
	spec, err := loadFilter()
	if err != nil {
		t.Fatal(err)
	}
	swapped := 0
	for name, program := range spec.Programs {
		for i, ins := range program.Instructions {
			if !ins.OpCode.Class().IsALU() || ins.OpCode.ALUOp() != asm.Swap || ins.Constant != 16 {
				continue
			}
			swapped++
			if at := addedUnmasked(program.Instructions[i+1:], ins.Dst); at >= 0 {
				t.Errorf("%s, instruction %d: %v swaps what instruction %d adds: %v", name, i, ins, i+1+at, program.Instructions[i+1+at])
			}
		}
	}
	if swapped == 0 {
		t.Error("no program swaps bytes")
	}
}

// addedUnmasked finds the first instruction that adds a register to another as it is; -1: it is masked, bounded by a jump, or overwritten before.
func addedUnmasked(code asm.Instructions, register asm.Register) int {
	for i, ins := range code {
		class, op := ins.OpCode.Class(), ins.OpCode
		switch {
		case class.IsALU() && op.ALUOp() == asm.Add && op.Source() == asm.RegSource && ins.Src == register && class == asm.ALU64Class:
			return i
		case class.IsJump(), ins.Dst == register:
			return -1
		}
	}
	return -1
}
