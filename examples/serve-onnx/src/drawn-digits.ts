/** How dark a character is, on the scale of the digits that the model learnt, 0…1. */
const darkness: Readonly<Record<string, number>> = { ' ': 0, '.': 0.3, o: 0.6, '#': 1 }

const drawings = `
  .##o
 .####o
 o#. o#.
 o#  .#o
 o#   #o
 o#  .#o
 .#o.##
  .###.
--
   o#.
  .##.
  ###
 o###
   ##.
   ##.
   ##o
   o##.
--
  .##o
 .####
 .o .##
    .##
    o#o
   .##
  .###oo
  o####o
--
  o###.
  ##o##
    .##
   o##
   .##o
     o#o
 .o. o#.
  o###o
--
    o#
   o#.
  o#. .
 .#o .#.
 o#  o#
 o######
 .oo##o
    ##
--
  o#####
  ##o.
 .#.
 o####o
 .o.o##
     ##
  . .##
  o##o
--
   .##
   ##.
  o#.
  #o
 .#####.
 .#o .#o
  ##..#o
   o##o
--
 .oooo
 o#####o
     ##
   .##o
 .#####
  .#o.
  o#
  o#
--
  .###o
  ##.o#
  #o .#
  o###.
  o###
 .#. #o
 .#. ##
  o##o
--
  .##o
  #o.##
 .#. ##
  ##o##
   o###
     ##
  .  ##
  o###.
`

/** The digits 0 to 9, drawn by hand on 8×8 pixels: something to ask the model about. */
export const drawnDigits: readonly (readonly number[])[] = drawings.split('--').map((drawing) =>
  drawing
    .slice(1)
    .split('\n')
    .slice(0, 8)
    .flatMap((line) => [...line.padEnd(8)].map((character) => darkness[character]!)),
)
