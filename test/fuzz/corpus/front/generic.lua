type List<T> = {T} type Pair<A, B> = {a: A, b: B} type P = Pair<number, List<string>>
interface X : P, List<P> a: self end type C = X extends P ? X["a"] : keyof(P)
return Pair(number, string)