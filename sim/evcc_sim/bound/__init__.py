"""What perfect foresight could have done with a day, and what a run has done with it, in the same terms.

    found = stays(trace)  # a car at a station, and the sun that was there
    regret_eur = scored(trace).eur(Weights()) - sum(least_cost(stay).least for stay in found)

**Terms.** Time is cut into *cells* of about ten seconds, a whole number of control intervals (one, if that is longer), and
into *steps* of about a minute, a whole number of cells: in a run that is asked at its intervals the energies at the edges of
both are exact, and controls at intervals of 1, 2, 5 and 10 s are measured alike. In a cell the sun left over
is

    s = max(0, sun - household - other cars) [W], the others as they were in this run, without what a battery gives or takes

(what it takes could have been the car's, what it gives is no sun of that moment: all laws are measured by the same sun);
what a zero feed-in inverter holds back counts as there. Power p goes into the car. The sun that the car could use is

    u = min(s, p_max of the largest position) where s >= p_min of the smallest, else 0; 0 without the car [W]

    bought    = sum of max(0, p - s)                                                                       [kWh]
    own sun   = sum of min(p, s);  of it usable: sum of min(p, u)                                          [kWh]
    not taken = min(R, sum of u) - sum of min(p, u);  R: room on arrival, at the socket, losses included   [kWh]
    switching: each closing and each opening of the contactor;  change: each move of the relay, whatever flows
    day cost  = bought x 0.30 + not taken x 0.22 + switchings x 0.002 + changes x 0.01                     [EUR]

`scored` measures a run so, cell by cell. **The clairvoyant** knows the means S and U of s and u in all steps. At each
edge of a step he is in one state: contactor open or closed, relay at a position, which it keeps while the contactor is
open. Within a step he may move both as often as he pays for. His mean power P in the step is then

    0, if the contactor was open throughout
    p_min to p_max of a position, if it was closed at it throughout; any power between, whatever the station's steps
    0 to the largest p_max of the positions at which it was closed, if it was open at some time

**Why no run does better.** The states of a run at the edges and its moves within each step are among his, at the price
that the run has paid, and its P is in his range: after closing, for as long as the car may take to reach its minimum, the
range begins lower. max(0, p - s) and max(0, u - p) are convex in (p, s) and (u, p), so no step costs more by its means
than by its cells. R is kept by a price on energy, which can only make the result smaller; where R does not bind it is
exact. A car that tapers below its minimum may take its last kilowatt-hours as it likes, for nothing. He knows no
circuits, operator's limits, guard times or sleeping cars: they bind a run only. Each stay is taken for itself; the relay
is where the station has it at the first of a run, later anywhere.

Not modelled: a pilot that comes and goes faster than the car can follow it, with the contactor closed and no current.
"""
