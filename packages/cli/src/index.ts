export { tour, type TourOptions } from './tour/tour.js'
export type { TourReport } from './tour/report.js'
